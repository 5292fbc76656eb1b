using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Clients;

/// <summary>curl, as people type it.</summary>
public sealed class CurlTests(ClientSite site) : ClientTest(site)
{
    [Theory]
    [InlineData("--http1.1")]
    [InlineData("--http1.0")]
    [InlineData("--http2")]
    public async Task A_page_an_answer_and_a_stream_come_whole(string version)
    {
        string[] sizes = await WriteOutAsync("%{http_code} %{size_download}", version,
            "/", "/app/hello?q=1", "/app/large?bytes=2000000", "/app/large?bytes=2000000&chunked=1",
            "/large.bin");

        sizes[0].ShouldBe($"200 {new FileInfo(Path.Combine(Site.Public, "index.html")).Length}");
        sizes[1].ShouldStartWith("200 ");
        sizes[2].ShouldBe("200 2000000");
        sizes[3].ShouldBe("200 2000000");
        sizes[4].ShouldBe($"200 {ClientSite.LargeLength}");
    }

    [Fact]
    public async Task One_connection_serves_many_requests_of_any_kind()
    {
        string[] connects = await WriteOutAsync("%{num_connects}", "--http1.1",
            "/", "/app/hello", "/app/large?bytes=70000&chunked=1", "/script.js", "/app/hello",
            "/large.bin", "/dot.png");

        connects.ShouldBe(["1", "0", "0", "0", "0", "0", "0"]);
    }

    [Fact]
    public async Task A_form_is_posted()
    {
        CommandResult result = await CurlAsync(
            "--data-urlencode", "name=Zoë & co", Site.Url + "/app/hello");

        result.Output.ShouldContain("\"name\": \"Zo\\u00eb & co\"");
    }

    [Theory]
    [InlineData("Expect: 100-continue", true)]
    [InlineData("Expect:", false)]
    [InlineData("Transfer-Encoding: chunked", true)]
    public async Task A_file_is_uploaded(string field, bool waitsForContinue)
    {
        CommandResult result = await CurlAsync(
            "-v", "-T", Site.LargeFile, "-H", field, Site.Url + "/app/upload");

        result.Output.ShouldBe(Site.UploadAnswer);
        result.Errors.Contains("< HTTP/1.1 100 Continue", StringComparison.Ordinal)
            .ShouldBe(waitsForContinue);
    }

    [Fact]
    public async Task Ranges_are_fetched_and_a_download_is_resumed()
    {
        byte[] large = await File.ReadAllBytesAsync(Site.LargeFile);
        string part = Path.Combine(Site.Host.Root, "part.bin");
        await CurlAsync("-r", "1000000-1000999", "-o", part, Site.Url + "/large.bin");
        (await File.ReadAllBytesAsync(part)).ShouldBe(large[1_000_000..1_001_000]);

        CommandResult several = await CurlAsync(
            "-r", "0-0,-1", "-w", "%{http_code}", "-o", part, Site.Url + "/large.bin");
        several.Output.ShouldBe("206");
        (await File.ReadAllTextAsync(part)).ShouldContain("Content-Range: bytes 0-0/3000000");

        await File.WriteAllBytesAsync(part, large[..1_234_567]);
        await CurlAsync("-C", "-", "-o", part, Site.Url + "/large.bin");
        (await File.ReadAllBytesAsync(part)).AsSpan().SequenceEqual(large).ShouldBeTrue();
    }

    [Fact]
    public async Task Packed_answers_are_unpacked()
    {
        CommandResult script = await CurlAsync(
            "--compressed", "-D", "-", "-o", Path.Combine(Site.Host.Root, "script.js"),
            Site.Url + "/script.js");

        script.Output.ShouldContain("Content-Encoding: ");
        (await File.ReadAllTextAsync(Path.Combine(Site.Host.Root, "script.js")))
            .ShouldBe(Site.Script);
    }

    [Fact]
    public async Task What_it_has_already_is_not_fetched_again()
    {
        string tags = Path.Combine(Site.Host.Root, "tags");
        string url = Site.Url + "/style.css";
        await CurlAsync("--etag-save", tags, url);

        CommandResult same = await CurlAsync(
            "--etag-compare", tags, "-w", "%{http_code} %{size_download}", url);
        same.Output.ShouldBe("304 0");
        CommandResult since = await CurlAsync(
            "-z", Path.Combine(Site.Public, "style.css"), "-w", "%{http_code}", url);
        since.Output.ShouldBe("304");
        (await CurlAsync("-I", url)).Output.ShouldContain("Content-Length: 27\r\n");
    }

    [Fact]
    public async Task A_proxy_request_names_the_whole_address()
    {
        CommandResult result = await CurlAsync("-x", Site.Url, "http://shop.example/app/hello");

        result.Output.ShouldContain("\"hello\"");
    }

    [Fact]
    public async Task A_hundred_in_parallel_come_back()
    {
        CommandResult result = await CurlAsync(
            "-Z", "--parallel-max", "30", "-o", "/dev/null", "-w", "%{http_code}\n",
            Site.Url + "/app/hello?q=[1-100]");

        result.OutputLines.ShouldBe(Enumerable.Repeat("200", 100));
    }

    private Task<CommandResult> CurlAsync(params string[] arguments) =>
        Site.RunAsync("curl", ["-sS", "--fail", "-m", "20", .. arguments]);

    /// <summary>What curl says of each path, all fetched in one run.</summary>
    private async Task<string[]> WriteOutAsync(
        string format, string option, params string[] paths)
    {
        string[] outputs = [.. paths.SelectMany(path =>
            (string[])["-o", "/dev/null", Site.Url + path])];
        CommandResult result = await CurlAsync([option, "-w", format + "\n", .. outputs]);
        result.OutputLines.Length.ShouldBe(paths.Length, result.ToString());
        return result.OutputLines;
    }
}
