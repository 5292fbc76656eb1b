using System.Text;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Features;

/// <summary>A folder of files through the real program.</summary>
public sealed class FileFeatureTests(FileSite site) : IClassFixture<FileSite>
{
    [Theory]
    [InlineData("/", "<h1>Welcome</h1>\n", "text/html")]
    [InlineData("/index.html", "<h1>Welcome</h1>\n", "text/html")]
    [InlineData("/about/", "<h1>About</h1>\n", "text/html")]
    [InlineData("/style.css", "body { color: red }\n", "text/css")]
    [InlineData("/%73tyle.css?v=2", "body { color: red }\n", "text/css")]
    [InlineData("/about/../style.css", "body { color: red }\n", "text/css")]
    [InlineData("/inside.css", "body { color: red }\n", "text/css")]
    [InlineData("/pub/style.css", "body { color: red }\n", "text/css")]
    [InlineData("/spa/any/view", "<div id=app></div>\n", "text/html")]
    public async Task A_file_is_found(string path, string text, string type)
    {
        HttpAnswer answer = await site.GetAsync(path);

        answer.Status.ShouldBe(200);
        answer.Text.ShouldBe(text);
        answer.Header("Content-Type").ShouldBe(type);
        answer.Header("X-Powered-By").ShouldBeNull();
    }

    [Fact]
    public async Task What_is_no_file_is_the_applications()
    {
        HttpAnswer get = await site.GetAsync("/basket?item=1");
        get.Status.ShouldBe(200);
        get.Instance.ShouldBe("shop-shop-1");
        get.Text.ShouldContain("GET /basket?item=1 HTTP/1.1");

        HttpAnswer post = await RawHttp.AskAsync(site.Port, "POST /basket", body: "x=1");
        post.Instance.ShouldBe("shop-shop-1");
        post.Text.ShouldContain("Body: 3\n");
    }

    [Fact]
    public async Task A_folder_without_application_says_no()
    {
        (await site.GetAsync("/pub/none")).Status.ShouldBe(404);
        (await site.GetAsync("/strict/none")).Status.ShouldBe(404);
        HttpAnswer post = await RawHttp.AskAsync(site.Port, "POST /pub/style.css", body: "x=1");
        post.Status.ShouldBe(405);
        post.Header("Allow").ShouldNotBeNull().ShouldContain("GET");
        HttpAnswer folder = await site.GetAsync("/pub/about");
        folder.Status.ShouldBe(301);
        folder.Header("Location").ShouldNotBeNull().ShouldEndWith("/pub/about/");
    }

    [Fact]
    public async Task A_folder_is_listed_where_that_is_wanted()
    {
        HttpAnswer list = await site.GetAsync("/list/");

        list.Status.ShouldBe(200);
        list.Text.IndexOf("a.txt", StringComparison.Ordinal).ShouldBeInRange(
            1, list.Text.IndexOf("b.txt", StringComparison.Ordinal));
        (await site.GetAsync("/pub/list/")).Status.ShouldBeOneOf(403, 404);
    }

    [Fact]
    public async Task A_client_that_has_it_gets_304()
    {
        HttpAnswer first = await site.GetAsync("/style.css");
        string tag = first.Header("ETag").ShouldNotBeNull();
        string date = first.Header("Last-Modified").ShouldNotBeNull();
        first.Header("Cache-Control").ShouldBe("max-age=60");

        HttpAnswer same = await site.GetAsync("/style.css", $"If-None-Match: {tag}");
        same.Status.ShouldBe(304);
        same.Header("ETag").ShouldBe(tag);
        same.Header("Cache-Control").ShouldBe("max-age=60");
        (await site.GetAsync("/style.css", $"If-Modified-Since: {date}")).Status.ShouldBe(304);
        (await site.GetAsync("/style.css", "If-None-Match: \"other\"")).Status.ShouldBe(200);
        (await site.GetAsync("/style.css", "If-Match: \"other\"")).Status.ShouldBe(412);

        HttpAnswer head = await site.AskAsync("HEAD /style.css");
        head.Status.ShouldBe(200);
        head.Header("Content-Length").ShouldBe("20");
        head.Header("ETag").ShouldBe(tag);
    }

    [Theory]
    [InlineData("bytes=0-0", 0, 1)]
    [InlineData("bytes=1000-1099", 1_000, 100)]
    [InlineData("bytes=1099000-", 1_099_000, 1_000)]
    [InlineData("bytes=-500", 1_099_500, 500)]
    [InlineData("bytes=70000-900000", 70_000, 830_001)]
    public async Task A_range_is_that_part(string range, int first, int length)
    {
        HttpAnswer part = await site.GetAsync("/large.bin", $"Range: {range}");

        part.Status.ShouldBe(206);
        part.Header("Content-Range").ShouldBe($"bytes {first}-{first + length - 1}/1100000");
        part.Body.AsSpan().SequenceEqual(site.Large.AsSpan(first, length)).ShouldBeTrue();
    }

    [Fact]
    public async Task Several_ranges_are_parts_of_one_answer()
    {
        HttpAnswer answer = await site.GetAsync(
            "/large.bin", "Range: bytes=10-19, 500000-500099, -7");

        answer.Status.ShouldBe(206);
        string type = answer.Header("Content-Type").ShouldNotBeNull();
        type.ShouldStartWith("multipart/byteranges; boundary=");
        string mark = "--" + type.Split('=')[1];
        string text = Encoding.Latin1.GetString(answer.Body);
        string[] parts = text.Split(mark);
        parts.Length.ShouldBe(5);
        parts[4].Trim().ShouldBe("--");
        (int First, int Length)[] expected = [(10, 10), (500_000, 100), (1_099_993, 7)];
        for (int i = 0; i < 3; i++)
        {
            (int first, int length) = expected[i];
            string[] halves = parts[i + 1].Split("\r\n\r\n", 2);
            halves[0].ShouldContain($"Content-Range: bytes {first}-{first + length - 1}/1100000");
            halves[0].ShouldContain("Content-Type: application/octet-stream");
            Encoding.Latin1.GetBytes(halves[1])[..length].AsSpan()
                .SequenceEqual(site.Large.AsSpan(first, length)).ShouldBeTrue();
            halves[1].Length.ShouldBe(length + 2);
        }
    }

    [Fact]
    public async Task A_range_beyond_the_end_is_416_and_one_of_another_version_is_the_whole()
    {
        HttpAnswer beyond = await site.GetAsync("/large.bin", "Range: bytes=2000000-");
        beyond.Status.ShouldBe(416);
        beyond.Header("Content-Range").ShouldBe("bytes */1100000");

        HttpAnswer whole = await site.GetAsync(
            "/large.bin", "Range: bytes=0-9\r\nIf-Range: \"other\"");
        whole.Status.ShouldBe(200);
        whole.Body.AsSpan().SequenceEqual(site.Large).ShouldBeTrue();
    }

    [Theory]
    [InlineData("/../secret.txt")]
    [InlineData("/pub/../../secret.txt")]
    [InlineData("/pub/..%2f..%2fsecret.txt")]
    [InlineData("/%2e%2e/secret.txt")]
    [InlineData("/pub/%2e%2e/%2e%2e/secret.txt")]
    [InlineData("/about/..%2f..%2fsecret.txt")]
    [InlineData("/about/%252e%252e/%252e%252e/secret.txt")]
    [InlineData("/about/..%c0%af..%c0%afsecret.txt")]
    [InlineData("/pub/..\\..\\secret.txt")]
    [InlineData("/pub/%00/../../secret.txt")]
    [InlineData("/pub//..//../secret.txt")]
    [InlineData("/pub/out.txt")]
    [InlineData("/pub/absolute.txt")]
    [InlineData("/pub/up/secret.txt")]
    [InlineData("/pub/up/public/style.css")]
    [InlineData("/out.txt")]
    [InlineData("/up/secret.txt")]
    public async Task Nothing_outside_of_the_folder_is_ever_sent(string path)
    {
        HttpAnswer answer = await site.GetAsync(path);

        // The application echoes what it is asked for; no file has its field.
        if (answer.Header("X-Powered-By") is null)
        {
            answer.Status.ShouldBeOneOf(400, 403, 404);
        }

        answer.Text.ShouldNotContain(FileSite.Secret);
    }

    [Fact]
    public async Task A_new_version_of_a_file_is_seen()
    {
        site.Write("news.txt", "old\n");
        HttpAnswer old = await site.GetAsync("/news.txt");
        old.Text.ShouldBe("old\n");

        string next = Path.Combine(site.Public, "news.txt.next");
        File.WriteAllText(next, "newer\n");
        File.Move(next, Path.Combine(site.Public, "news.txt"), overwrite: true);

        // Each reactor keeps a small file for a second.
        int inRow = 0;
        await Eventually.HoldsAsync(
            "the new one is served by every reactor",
            async () =>
            {
                HttpAnswer answer = await site.GetAsync(
                    "/news.txt", $"If-None-Match: {old.Header("ETag")}");
                inRow = answer is { Status: 200, Text: "newer\n" } ? inRow + 1 : 0;
                return inRow == 20;
            },
            TimeSpan.FromSeconds(4));
    }
}
