using System.Globalization;
using System.Text.RegularExpressions;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Clients;

/// <summary>The tools that people measure servers with find no failed request.</summary>
public sealed class LoadToolTests(ClientSite site) : ClientTest(site)
{
    private const int Requests = 1_500;

    /// <summary>wrk leaves when its time is over.</summary>
    protected override bool ClientsMayLeave => true;

    [Theory]
    [InlineData("/app/hello")]
    [InlineData("/index.html")]
    [InlineData("/app/large?bytes=100000&chunked=1")]
    public async Task Wrk_sees_no_error(string path)
    {
        CommandResult result = await Site.RunAsync(
            "wrk", "-t", "1", "-c", "20", "-d", "1s", Site.Url + path);

        Number(result, @"(\d+) requests in").ShouldBeGreaterThan(20);
        result.Output.ShouldNotContain("Socket errors");
        result.Output.ShouldNotContain("Non-2xx");
    }

    [Theory]
    [InlineData("/app/hello", false)]
    [InlineData("/app/hello", true)]
    [InlineData("/index.html", false)]
    [InlineData("/index.html", true)]
    [InlineData("/app/large?bytes=20000&chunked=1", false)]
    public async Task Ab_completes_every_request(string path, bool keepsAlive)
    {
        string[] keep = keepsAlive ? ["-k"] : [];
        CommandResult result = await Site.RunAsync(
            "ab", ["-q", "-n", $"{Requests}", "-c", "20", .. keep, Site.Url + path]);

        Number(result, @"Complete requests:\s+(\d+)").ShouldBe(Requests, result.ToString());
        Number(result, @"Failed requests:\s+(\d+)").ShouldBe(0, result.ToString());
        result.Output.ShouldNotContain("Non-2xx");
        if (keepsAlive)
        {
            Number(result, @"Keep-Alive requests:\s+(\d+)").ShouldBe(Requests);
        }

    }

    [Fact]
    public async Task Ab_posts_a_file()
    {
        string body = Path.Combine(Site.Host.Root, "body");
        await File.WriteAllTextAsync(body, new string('b', 5_000));

        CommandResult result = await Site.RunAsync(
            "ab", "-q", "-n", "500", "-c", "10", "-k", "-p", body, "-T", "text/plain",
            Site.Url + "/app/upload");

        Number(result, @"Complete requests:\s+(\d+)").ShouldBe(500, result.ToString());
        Number(result, @"Failed requests:\s+(\d+)").ShouldBe(0, result.ToString());
        result.Output.ShouldNotContain("Non-2xx");
    }

    [Theory]
    [InlineData("/app/hello")]
    [InlineData("/index.html")]
    public async Task H2load_over_http_1_1_has_every_request_succeed(string path)
    {
        CommandResult result = await Site.RunAsync(
            "h2load", "--h1", "-n", $"{Requests}", "-c", "20", "-t", "1", Site.Url + path);

        result.Output.ShouldContain(string.Create(CultureInfo.InvariantCulture,
            $"{Requests} done, {Requests} succeeded, 0 failed, 0 errored, 0 timeout"));
        result.Output.ShouldContain($"status codes: {Requests} 2xx");
    }

    private static int Number(CommandResult result, string pattern)
    {
        Match match = Regex.Match(result.Output, pattern);
        match.Success.ShouldBeTrue(result.ToString());
        return int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
    }
}
