using System.IO.Compression;
using System.Text;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Features;

/// <summary>Answers that are packed on the way, or were packed before.</summary>
public sealed class CompressionFeatureTests(FileSite site) : IClassFixture<FileSite>
{
    [Theory]
    [InlineData("gzip", "gzip")]
    [InlineData("br", "br")]
    [InlineData("gzip, deflate, br", "br")]
    [InlineData("gzip;q=1.0, br;q=0.5", "gzip")]
    [InlineData("gzip;q=0", null)]
    [InlineData("deflate", null)]
    [InlineData("", null)]
    public async Task A_script_is_packed_as_the_client_likes_it(string accepted, string? coding)
    {
        HttpAnswer answer = await site.GetAsync(
            "/script.js", accepted.Length > 0 ? $"Accept-Encoding: {accepted}" : "");

        answer.Status.ShouldBe(200);
        answer.Header("Content-Encoding").ShouldBe(coding);
        answer.Header("Vary").ShouldBe("Accept-Encoding");
        Unpacked(answer).ShouldBe(site.Script);
        if (coding is not null)
        {
            answer.BodyLength.ShouldBeLessThan(site.Script.Length / 3);
            answer.Header("ETag").ShouldNotBeNull().ShouldStartWith("W/");
        }
    }

    [Theory]
    [InlineData("gzip", "gzip'd before")]
    [InlineData("br", "brotli'd before")]
    public async Task What_was_packed_before_is_sent_as_it_is(string accepted, string text)
    {
        HttpAnswer answer = await site.GetAsync("/packed.css", $"Accept-Encoding: {accepted}");

        answer.Header("Content-Encoding").ShouldBe(accepted);
        answer.Header("Content-Type").ShouldBe("text/css");
        answer.Header("Content-Length").ShouldNotBeNull();
        Unpacked(answer).ShouldBe(text);
        (await site.GetAsync("/packed.css")).Text.ShouldStartWith("p { color: blue }");
    }

    [Fact]
    public async Task A_packed_copy_is_revalidated_by_its_own_tag()
    {
        const string Accept = "Accept-Encoding: gzip";
        string tag = (await site.GetAsync("/script.js", Accept)).Header("ETag").ShouldNotBeNull();

        HttpAnswer again = await site.GetAsync("/script.js", $"{Accept}\r\nIf-None-Match: {tag}");

        again.Status.ShouldBe(304);
        again.Header("Vary").ShouldBe("Accept-Encoding");
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task An_answer_of_the_application_is_packed_too(string coding)
    {
        string long_ = new('a', 2_000);
        HttpAnswer answer = await site.GetAsync(
            "/app", $"Accept-Encoding: {coding}\r\nX-Long: {long_}");

        answer.Header("Content-Encoding").ShouldBe(coding);
        answer.BodyLength.ShouldBeLessThan(1_000);
        Unpacked(answer).ShouldContain($"X-Long: {long_}");
    }

    [Fact]
    public async Task What_cannot_be_packed_is_left_alone()
    {
        const string Accept = "Accept-Encoding: gzip, br";
        HttpAnswer binary = await site.GetAsync("/large.bin", Accept);
        binary.Header("Content-Encoding").ShouldBeNull();
        binary.BodyLength.ShouldBe(site.Large.Length);
        (await site.GetAsync("/style.css", Accept)).Header("Content-Encoding").ShouldBeNull();
        HttpAnswer range = await site.GetAsync("/script.js", Accept + "\r\nRange: bytes=0-99");
        range.Status.ShouldBe(206);
        range.Text.ShouldBe(site.Script[..100]);
        HttpAnswer head = await site.AskAsync("HEAD /script.js", Accept);
        head.Status.ShouldBe(200);
    }

    private static string Unpacked(HttpAnswer answer)
    {
        using var body = new MemoryStream(answer.Body);
        using Stream stream = answer.Header("Content-Encoding") switch
        {
            "gzip" => new GZipStream(body, CompressionMode.Decompress),
            "br" => new BrotliStream(body, CompressionMode.Decompress),
            _ => body,
        };
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
