using Tessera.Proxy.Flow;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Routing;

/// <summary>
/// Makes routes ready for requests: binds them to the backends and to whatever outlasts one
/// configuration. Owned by the server; called while a configuration is applied.
/// </summary>
internal sealed class RouteFactory
{
    private readonly ZoneTable _zones = new();
    private readonly RouteSeriesTable _series;
    private readonly LogTable _logs;

    public RouteFactory(RouteSeriesTable series, LogTable logs)
    {
        _series = series;
        _logs = logs;
    }

    /// <param name="backends">Those that the routes may name.</param>
    public RouteTable CreateTable(ListenerConfig listener, PreparedBackends backends)
    {
        if (listener.Servers.IsEmpty)
        {
            return new RouteTable(
                listener.Routes.Select(route => TryCreate(route, backends)).OfType<Route>())
            {
                ExpectsProxyProtocol = listener.ExpectsProxyProtocol,
            };
        }

        return new RouteTable(new ServerTable(
        [
            .. listener.Servers.Select(server =>
                (server, CreateServer(server, route => CreateLocation(route, backends)))),
        ]))
        {
            ExpectsProxyProtocol = listener.ExpectsProxyProtocol,
        };
    }

    /// <summary>Throws what is wrong with a server, as applying it would.</summary>
    /// <exception cref="FormatException">A text names no variable.</exception>
    /// <exception cref="ArgumentException">An expression is none.</exception>
    public static void Check(ServerConfig config) => CreateServer(config, CheckLocation);

    private static Route CheckLocation(RouteConfig config)
    {
        var route = new Route(config, backend: null);
        route.Complete(CheckLocation);
        return route;
    }

    private static VirtualServer CreateServer(
        ServerConfig config, Func<RouteConfig, Route> create)
    {
        Route fallback = create(config.Fallback);
        return new VirtualServer(
            config, fallback, [.. config.Locations.Select(create)], create);
    }

    /// <summary>What is wrong with a route, as a sentence; null when nothing is.</summary>
    public static string? ProblemOf(RouteConfig config)
    {
        try
        {
            _ = new Route(config, backend: null);
            _ = config.Stream is null
                ? null
                : new StreamRule(config.Stream, new Dictionary<string, Backend>());
            return config.Flow?.FindFault() ?? config.Access?.BasicAuth?.FindFault();
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            return e.Message.TrimEnd('.') + '.';
        }
    }

    /// <summary>Null for a route to a backend that does not exist.</summary>
    private Route? TryCreate(RouteConfig config, PreparedBackends backends)
    {
        Backend? backend = config.Backend is null
            ? null
            : backends.Backends.GetValueOrDefault(config.Backend);
        return config.Backend is not null && backend is null
            ? null
            : Create(config, backend, backends);
    }

    private Route CreateLocation(RouteConfig config, PreparedBackends backends)
    {
        Route route = Create(
            config,
            config.Backend is null ? null : backends.Backends.GetValueOrDefault(config.Backend),
            backends);
        route.Backends = backends.Backends;
        route.Complete(inner => CreateLocation(inner, backends));
        return route;
    }

    private Route Create(RouteConfig config, Backend? backend, PreparedBackends backends)
    {
        RouteFlow? flow = config.Flow is null ? null : new RouteFlow(config.Flow, _zones);
        var route = new Route(config, backend, flow)
        {
            Logs = config.AccessLogs.IsDefault ? null : _logs.Of(config.AccessLogs),
            ErrorSinks = config.ErrorLogs.IsDefault ? null : _logs.SinksOf(config.ErrorLogs),
            Stream = config.Stream is null
                ? null
                : new StreamRule(config.Stream, backends.Backends),
        };
        route.Series = _series.SeriesOf(route.Name, config.Backend ?? "");
        return route;
    }
}
