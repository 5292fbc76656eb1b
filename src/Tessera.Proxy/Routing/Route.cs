using Tessera.Proxy.Access;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Files;
using Tessera.Proxy.Flow;

namespace Tessera.Proxy.Routing;

/// <summary>
/// One route as requests meet it: its configuration, made ready once. Immutable; what it counts
/// lives elsewhere and outlasts it.
/// </summary>
internal sealed class Route
{
    /// <param name="backend">Null when the route answers by itself.</param>
    public Route(RouteConfig config, Backend? backend, RouteFlow? flow = null)
    {
        Flow = flow;
        Config = config;
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
