using Tessera.Proxy.Flow;

namespace Tessera.Proxy.Routing;

/// <summary>
/// Makes routes ready for requests: binds them to the backends and to whatever outlasts one
/// configuration. Owned by the server; called while a configuration is applied.
/// </summary>
internal sealed class RouteFactory
{
    private readonly ZoneTable _zones = new();
    private readonly BackendTable _backends;

    public RouteFactory(BackendTable backends) => _backends = backends;

    public RouteTable CreateTable(IEnumerable<RouteConfig> routes) =>
        new(routes.Select(TryCreate).OfType<Route>());

    /// <summary>What is wrong with a route, as a sentence; null when nothing is.</summary>
    public static string? ProblemOf(RouteConfig config)
    {
        try
        {
            _ = new Route(config, backend: null);
            return config.Flow?.FindFault() ?? config.Access?.BasicAuth?.FindFault();
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            return e.Message.TrimEnd('.') + '.';
        }
    }

    /// <summary>Null for a route to a backend that does not exist.</summary>
    private Route? TryCreate(RouteConfig config)
    {
        Backend? backend = config.Backend is null ? null : _backends.Find(config.Backend);
        RouteFlow? flow = config.Flow is null ? null : new RouteFlow(config.Flow, _zones);
        return config.Backend is not null && backend is null
            ? null
            : new Route(config, backend, flow);
    }
}
