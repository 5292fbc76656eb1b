using Tessera.Proxy.Access;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Files;
using Tessera.Proxy.Flow;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Routing;

/// <summary>
/// One route as requests meet it: its configuration, made ready once. Immutable; what it counts
/// lives elsewhere and outlasts it.
/// </summary>
internal sealed class Route
{
    private readonly string _name;

    /// <param name="backend">Null when the route answers by itself.</param>
    public Route(RouteConfig config, Backend? backend, RouteFlow? flow = null)
    {
        Flow = flow;
        Config = config;
        _name = config.Host + config.Path.Text;
        Backend = backend;
        Gate = config.Access is null ? null : new AccessGate(config.Access);
        Files = config.Files is null ? null : new FileSite(config.Files);
        Compression = config.Compression is null ? null : new CompressionRule(config.Compression);
        IsPlain = backend is not null
            && Gate is null
            && config is
            {
                Flow: null, Rewrite: null, Compression: null, Redirect: null, Reply: null,
                Files: null
            }
            && config.RequestHeaders.IsEmpty
            && config.ResponseHeaders.IsEmpty;
    }

    public RouteConfig Config { get; }

    /// <summary>For logs, metrics and traces.</summary>
    public string Name => Config.Name.Length > 0 ? Config.Name : _name;

    /// <summary>What is counted of its requests; null counts them with those of no route.</summary>
    public RouteSeries? Series { get; set; }

    public Backend? Backend { get; }

    public AccessGate? Gate { get; }

    /// <summary>Null when the route serves no files.</summary>
    public FileSite? Files { get; }

    /// <summary>Null leaves responses as they are.</summary>
    public CompressionRule? Compression { get; }

    public RouteFlow? Flow { get; }

    /// <summary>Forwards and does nothing else, which is the shortest way through.</summary>
    public bool IsPlain { get; }
}
