using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Clients;

/// <summary>
/// One use of the site by a client. Whatever the client thinks of it, at its end the balancer, too,
/// must have seen nothing but good answers since its beginning.
/// </summary>
public abstract class ClientTest(ClientSite site) : IClassFixture<ClientSite>, IAsyncLifetime
{
    private Metrics _before = null!;
    private int _logLength;

    protected ClientSite Site => site;

    /// <summary>In the middle of an answer, as wrk does at its end.</summary>
    protected virtual bool ClientsMayLeave => false;

    public virtual async ValueTask InitializeAsync()
    {
        _before = await Metrics.ReadAsync(site.Host);
        _logLength = site.Host.DaemonLog().Length;
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        Metrics after = await Metrics.ReadAsync(site.Host);
        double Grown(string name, params string[] labels) =>
            after[name, labels] - _before[name, labels];

        string bad = string.Join('\n', Directory
            .GetFiles(Path.Combine(site.Host.Home, "projects", site.Project.Name), "access*.log")
            .SelectMany(File.ReadAllLines)
            .Where(line => line.Contains("\" 4", StringComparison.Ordinal)
                || line.Contains("\" 5", StringComparison.Ordinal)));
        Grown("tessera_requests_total", "code=\"5xx\"").ShouldBe(0, bad);
        Grown("tessera_requests_total", "code=\"4xx\"").ShouldBe(0, bad);
        Grown("tessera_requests_total").ShouldBeGreaterThan(0);
        Grown("tessera_retries_total").ShouldBe(0);
        double left = Grown("tessera_request_errors_total", "kind=\"client_gone\"");
        Grown("tessera_request_errors_total").ShouldBe(ClientsMayLeave ? left : 0);
        string log = site.Host.DaemonLog()[_logLength..];
        log.ShouldNotContain("[error]");
        log.ShouldNotContain("[warn]");
    }
}
