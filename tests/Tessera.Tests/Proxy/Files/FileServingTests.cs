using System.Collections.Immutable;
using System.Text;
using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Files;

public sealed class FileServingTests
{
    [Fact]
    public async Task A_file_comes_with_all_that_is_known_about_it()
    {
        await using FileFixture site = new FileFixture().With("a/page.html", "<p>hello");
        Answer answer = await site.GetAsync("/a/page.html");
        answer.Status.ShouldBe(200);
        answer.Body.ShouldBe("<p>hello");
        answer["Content-Type"].ShouldBe("text/html");
        answer["Content-Length"].ShouldBe("8");
        answer["Last-Modified"].ShouldBe("Mon, 06 May 2024 07:08:09 GMT");
        answer["ETag"].ShouldBe("\"663881d9-8\"");
        answer["Accept-Ranges"].ShouldBe("bytes");
        answer["Cache-Control"].ShouldBeNull();
        answer["Vary"].ShouldBeNull();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16 * 1_024)]
    [InlineData(16 * 1_024 + 1)]
    [InlineData(64 * 1_024)]
    [InlineData(64 * 1_024 + 1)]
    [InlineData(5_000_000)]
    public async Task Files_of_every_length_arrive_whole_and_keep_the_connection(int length)
    {
        byte[] content = RandomBytes(length);
        await using FileFixture site = new FileFixture().With("f.bin", content);
        using Forwarding.ScriptedConnection client = await site.Proxy.ConnectAsync();
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync("GET /f.bin HTTP/1.1\r\nHost: t\r\n\r\n");
            (string head, string body) = await client.ReadResponseAsync();
            head.ShouldContain($"\r\nContent-Length: {length}\r\n");
            (body == Encoding.Latin1.GetString(content)).ShouldBeTrue();
        }
    }

    [Theory]
    [InlineData("/secret")]
    [InlineData("/../secret")]
    [InlineData("/..%2fsecret")]
    [InlineData("/%2e%2e/secret")]
    [InlineData("/%2e%2e%2fsecret")]
    [InlineData("/%252e%252e/secret")]
    [InlineData("/%252e%252e%252fsecret")]
    [InlineData("/a/../../secret")]
    [InlineData("/a/..%2f..%2fsecret")]
    [InlineData("/a/.%2e/.%2e/secret")]
    [InlineData("/..\\secret")]
    [InlineData("/..%5csecret")]
    [InlineData("/a/..\\..\\secret")]
    [InlineData("/..;/secret")]
    [InlineData("/..%00/secret")]
    [InlineData("/a/page.html%00.txt")]
    [InlineData("/%c0%ae%c0%ae/secret")]
    [InlineData("/..%c0%afsecret")]
    [InlineData("//..//secret")]
    [InlineData("/./.././secret")]
    [InlineData("/out")]
    [InlineData("/outfolder/secret")]
    [InlineData("/outfolder/site/a/page.html")]
    [InlineData("/absolute")]
    [InlineData("/a/climb/secret")]
    [InlineData("/self")]
    [InlineData("/loop")]
    [InlineData("/loop/x")]
    public async Task Nothing_outside_of_the_root_is_served(string target)
    {
        await using FileFixture site = new FileFixture()
            .With("../secret", "SECRET")
            .With("a/page.html", "in");
        site.WithLink("out", "../secret")
            .WithLink("outfolder", "..")
            .WithLink("absolute", site.PathOf("../secret"))
            .WithLink("a/climb", "../..")
            .WithLink("self", "/proc/self/cwd")
            .WithLink("loop", "loop");
        foreach (bool lists in new[] { false, true })
        {
            Answer answer = await site.Serving(f => f with { ListsFolders = lists })
                .GetAsync(target);
            answer.Body.ShouldNotContain("SECRET");
            answer.Status.ShouldBeOneOf(400, 403, 404);
            await site.Proxy.DisposeAsync();
        }
    }

    [Fact]
    public async Task Links_may_lead_about_within_the_root_and_out_of_it_where_that_is_allowed()
    {
        await using FileFixture site = new FileFixture()
            .With("../secret", "beside")
            .With("a/page.html", "in")
            .WithLink("out", "../secret")
            .WithLink("current", "a");
        (await site.GetAsync("/current/page.html")).Body.ShouldBe("in");
        (await site.GetAsync("/out")).Status.ShouldBe(403);
        await site.Proxy.DisposeAsync();

        site.Serving(f => f with { MayLeaveByLink = true });
        (await site.GetAsync("/out")).Body.ShouldBe("beside");
        (await site.GetAsync("/..%2fsecret")).Status.ShouldBe(400);
    }

    [Fact]
    public async Task A_variable_in_a_path_cannot_climb_out()
    {
        await using FileFixture site = new FileFixture()
            .With("../secret", "SECRET").With("a", "in");
        foreach (bool mayLeave in new[] { false, true })
        {
            site.Serving(f => f with
            {
                TryFiles = ["/$arg_f", "=404"],
                MayLeaveByLink = mayLeave,
            });
            (await site.GetAsync("/?f=a")).Body.ShouldBe("in");
            (await site.GetAsync("/?f=../secret")).Status.ShouldBe(404);
            (await site.GetAsync("/?f=x/../../secret")).Status.ShouldBe(404);
            await site.Proxy.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_link_that_is_swapped_again_and_again_never_shows_what_lies_outside()
    {
        await using FileFixture site = new FileFixture()
            .With("../outside/f", "SECRET").With("inside/f", "in").WithLink("link", "inside");
        _ = site.Proxy;
        using var end = new CancellationTokenSource();
        Task swapping = Task.Run(() =>
        {
            for (int i = 0; !end.IsCancellationRequested; i++)
            {
                string target = i % 2 == 0 ? "../outside" : "inside";
                File.Delete(site.PathOf("link"));
                File.CreateSymbolicLink(site.PathOf("link"), target);
            }
        }, TestContext.Current.CancellationToken);
        var statuses = new HashSet<int>();
        for (int i = 0; i < 300; i++)
        {
            // A name of its own each time, so that each is looked up anew.
            string slashes = string.Concat(Enumerable.Repeat("./", i));
            Answer answer = await site.GetAsync($"/link/{slashes}f");
            answer.Body.ShouldNotContain("SECRET");
            statuses.Add(answer.Status);
        }

        await end.CancelAsync();
        await swapping;
        statuses.ShouldBeSubsetOf([200, 403, 404]);
    }

    [Fact]
    public async Task A_folder_shows_its_index_and_wants_its_slash()
    {
        await using FileFixture site = new FileFixture()
            .With("docs/index.htm", "second")
            .With("docs/ö ü/index.html", "first")
            .With("empty/x", "");
        site.Serving(f => f with { Index = ["index.html", "index.htm"] });
        (await site.GetAsync("/docs/")).Body.ShouldBe("second");
        (await site.GetAsync("http://test")).Status.ShouldBe(403);
        (await site.GetAsync("/docs/%C3%B6%20%C3%BC/")).Body.ShouldBe("first");
        (await site.GetAsync("/empty/")).Status.ShouldBe(403);
        (await site.GetAsync("/none/")).Status.ShouldBe(404);
        (await site.GetAsync("/docs/index.htm/")).Status.ShouldBe(404);

        Answer redirect = await site.GetAsync("/docs?q=1");
        redirect.Status.ShouldBe(301);
        redirect["Location"].ShouldBe("/docs/?q=1");
        redirect = await site.GetAsync("/docs/%C3%B6%20%C3%BC");
        redirect["Location"].ShouldBe("/docs/%C3%B6%20%C3%BC/");
    }

    [Theory]
    [InlineData("//docs")]
    [InlineData("//evil.example/..%2fdocs")]
    [InlineData("/%2fevil.example/../docs")]
    public async Task A_redirect_never_leads_to_another_host(string target)
    {
        await using FileFixture site = new FileFixture().With("docs/x", "");
        (await site.GetAsync(target))["Location"].ShouldBe("/docs/");
    }

    [Theory]
    [InlineData("/app.js", 200, "js")]
    [InlineData("/some/page", 200, "index")]
    [InlineData("/docs", 301, null)]
    [InlineData("/docs/", 200, "docs")]
    public async Task Paths_are_tried_in_turn(string target, int status, string? body)
    {
        await using FileFixture site = new FileFixture()
            .With("app.js", "js").With("index.html", "index").With("docs/index.html", "docs");
        site.Serving(f => f with { TryFiles = ["$uri", "$uri/", "/index.html"] });
        Answer answer = await site.GetAsync(target);
        answer.Status.ShouldBe(status);
        answer.Body.ShouldBe(body ?? answer.Body);
    }

    [Theory]
    [InlineData("=404", 404)]
    [InlineData("=503", 503)]
    [InlineData("=204", 204)]
    [InlineData("/no-such-file", 404)]
    public async Task The_last_that_is_tried_decides(string last, int status)
    {
        await using FileFixture site = new();
        site.Serving(f => f with { TryFiles = ["$uri", last] });
        Answer answer = await site.GetAsync("/x");
        answer.Status.ShouldBe(status);
        answer["Content-Length"].ShouldBe(status == 204 ? null : answer.Body.Length.ToString());
    }

    [Fact]
    public async Task What_is_no_file_goes_to_the_backend()
    {
        await using FileFixture site = new FileFixture().With("f", "file");
        site.Serving(f => f with { TryFiles = ["$uri", "@backend"] });
        (await site.GetAsync("/f")).Body.ShouldBe("file");
        (await site.GetAsync("/api")).Body.ShouldBe("upstream");
        Answer posted = await site.AskAsync("POST", "/api", "Content-Length: 0");
        posted.Body.ShouldBe("upstream");
        (await site.AskAsync("POST", "/f", "Content-Length: 0")).Status.ShouldBe(405);
    }

    [Theory]
    [InlineData("/img/", "/img/a.png", 200)]
    [InlineData("/img", "/img/a.png", 200)]
    [InlineData("/img", "/img/../img/a.png", 200)]
    [InlineData("/other", "/img/a.png", 404)]
    [InlineData("/img", "/img../secret", 404)]
    public async Task A_prefix_is_taken_off_the_path(string prefix, string target, int status)
    {
        await using FileFixture site = new FileFixture()
            .With("a.png", "png").With("../secret", "SECRET");
        site.Serving(f => f with { StripPrefix = prefix });
        (await site.GetAsync(target)).Status.ShouldBe(status);
    }

    [Fact]
    public async Task Head_gets_the_head_alone_and_other_methods_are_refused()
    {
        await using FileFixture site = new FileFixture()
            .With("f.txt", "text").With("large", RandomBytes(100_000));
        Answer head = await site.AskAsync("HEAD", "/f.txt", "Range: bytes=0-1");
        head.Status.ShouldBe(200);
        head["Content-Length"].ShouldBe("4");
        head.Body.ShouldBeEmpty();
        head = await site.AskAsync("HEAD", "/large");
        head["Content-Length"].ShouldBe("100000");
        head.Body.ShouldBeEmpty();

        Answer refused = await site.AskAsync("DELETE", "/f.txt");
        refused.Status.ShouldBe(405);
        refused["Allow"].ShouldBe("GET, HEAD");
    }

    [Fact]
    public async Task Types_follow_the_extension()
    {
        await using FileFixture site = new FileFixture()
            .With("a.JS", "").With("a.tar.gz", "").With("Makefile", "").With(".png", "")
            .With("x.custom", "").With("y.html", "");
        site.Serving(f => f with
        {
            Types = ImmutableSortedDictionary<string, string>.Empty
                .Add("custom", "text/x-custom").Add("html", "text/html; charset=utf-8"),
            DefaultType = "text/plain",
        });
        (await site.GetAsync("/a.JS"))["Content-Type"].ShouldBe("text/javascript");
        (await site.GetAsync("/a.tar.gz"))["Content-Type"].ShouldBe("application/gzip");
        (await site.GetAsync("/Makefile"))["Content-Type"].ShouldBe("text/plain");
        (await site.GetAsync("/x.custom"))["Content-Type"].ShouldBe("text/x-custom");
        (await site.GetAsync("/y.html"))["Content-Type"].ShouldBe("text/html; charset=utf-8");
    }

    [Fact]
    public async Task A_listing_shows_names_as_text_and_nothing_hidden()
    {
        await using FileFixture site = new FileFixture()
            .With("d/<b>&\"x\".txt", "12345").With("d/sub/f", "").With("d/.hidden", "")
            .With("d/javascript:alert(1)", "");
        site.Serving(f => f with { ListsFolders = true });
        Answer answer = await site.GetAsync("/d/");
        answer.Status.ShouldBe(200);
        answer["Content-Type"].ShouldBe("text/html; charset=utf-8");
        answer.Body.ShouldContain("&lt;b&gt;&amp;&quot;x&quot;.txt");
        answer.Body.ShouldContain("href=\"./%3Cb%3E%26%22x%22.txt\"");
        answer.Body.ShouldContain("href=\"./javascript%3Aalert%281%29\"");
        answer.Body.ShouldContain("href=\"./sub/\"");
        answer.Body.ShouldContain(">5</td>");
        answer.Body.ShouldNotContain("<b>");
        answer.Body.ShouldNotContain("hidden");
        (await site.AskAsync("HEAD", "/d/")).Body.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_pipe_or_a_device_is_no_file()
    {
        await using FileFixture site = new FileFixture().WithLink("null", "/dev/null");
        site.Serving(f => f with { MayLeaveByLink = true });
        using var mkfifo = System.Diagnostics.Process.Start("mkfifo", site.PathOf("pipe"));
        await mkfifo.WaitForExitAsync(TestContext.Current.CancellationToken);
        (await site.GetAsync("/pipe")).Status.ShouldBe(404);
        (await site.GetAsync("/null")).Status.ShouldBe(404);
    }

    internal static byte[] RandomBytes(int length)
    {
        byte[] bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }
}
