namespace Tessera.Proxy.Routing;

/// <summary>
/// Makes routes ready for requests: binds them to the backends and to whatever outlasts one
/// configuration. Owned by the server; called while a configuration is applied.
/// </summary>
internal sealed class RouteFactory
{
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
            return null;
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            return e.Message.TrimEnd('.') + '.';
        }
    }

    /// <summary>
    /// Null for a route to a backend that does not exist, and for one that is not right: whoever
    /// applies it was told before (<see cref="ProxyServer.FindProblems"/>).
    /// </summary>
    private Route? TryCreate(RouteConfig config)
    {
        Backend? backend = config.Backend is null ? null : _backends.Find(config.Backend);
        bool isServed = (config.Backend is null || backend is not null)
            && ProblemOf(config) is null;
        return isServed ? new Route(config, backend) : null;
    }
}
