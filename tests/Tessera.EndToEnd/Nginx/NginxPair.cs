using Shouldly;
using Tessera.EndToEnd.Harness;

namespace Tessera.EndToEnd.Nginx;

/// <summary>
/// Debian's nginx and Tessera on the same configuration, for the same questions. One flow uses it
/// at a time.
/// </summary>
public sealed class NginxPair : IAsyncDisposable
{
    private readonly string _links;

    private NginxPair(NginxServer nginx, NginxServer tessera, string links)
    {
        Nginx = nginx;
        Tessera = tessera;
        _links = links;
    }

    public NginxServer Nginx { get; }

    public NginxServer Tessera { get; }

    /// <inheritdoc cref="NginxServer.StartAsync"/>
    public static async Task<NginxPair> StartAsync(
        string configuration, IReadOnlyDictionary<string, string>? files = null)
    {
        files ??= new Dictionary<string, string>();
        string links = Directory.CreateTempSubdirectory("tessera-link-").FullName;
        string link = Path.Combine(links, "nginx");
        File.CreateSymbolicLink(link, Repository.Binary);
        NginxServer nginx = await NginxServer.StartAsync("/usr/sbin/nginx", configuration, files);
        try
        {
            return new NginxPair(
                nginx, await NginxServer.StartAsync(link, configuration, files), links);
        }
        catch
        {
            await nginx.DisposeAsync();
            Directory.Delete(links, recursive: true);
            throw;
        }
    }

    /// <summary>A minimal configuration around the lines of one http block.</summary>
    public static Task<NginxPair> StartHttpAsync(
        string http, IReadOnlyDictionary<string, string>? files = null) =>
        StartAsync($"events {{ }}\nhttp {{\n{http}\n}}\n", files);

    /// <summary>The same request to both; what differs by nature is made equal.</summary>
    public async Task<(string Nginx, string Tessera)> AskBothAsync(
        string request, int port = 0, TimeSpan? quiet = null)
    {
        Task<string> expected = Nginx.AskAsync(request, port, quiet);
        string actual = await Tessera.AskAsync(request, port, quiet);
        return (Nginx.Normalize(await expected), Tessera.Normalize(actual));
    }

    /// <summary>Fails when the answers differ, with the request.</summary>
    public async Task ShouldAgreeAsync(string request, int port = 0, TimeSpan? quiet = null)
    {
        (string expected, string actual) = await AskBothAsync(request, port, quiet);
        actual.ShouldBe(expected, request);
    }

    /// <summary>Every difference at once, instead of the first.</summary>
    public async Task ShouldAgreeAsync(IEnumerable<string> requests, int port = 0)
    {
        List<string> differences = [];
        foreach (string request in requests)
        {
            (string expected, string actual) = await AskBothAsync(request, port);
            if (expected != actual)
            {
                differences.Add($"--- {request}\n<<< nginx\n{expected}\n>>> tessera\n{actual}");
            }
        }

        differences.ShouldBeEmpty(string.Join('\n', differences));
    }

    /// <summary>GET with a Host, on a connection of its own.</summary>
    public static string Get(string uri, string fields = "", string host = "localhost") =>
        $"GET {uri} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n";

    public async ValueTask DisposeAsync()
    {
        await Tessera.DisposeAsync();
        await Nginx.DisposeAsync();
        Directory.Delete(_links, recursive: true);
    }
}
