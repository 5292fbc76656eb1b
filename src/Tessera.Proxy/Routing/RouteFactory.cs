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
    private readonly Dictionary<string, ZoneTable> _scopedZones = new(StringComparer.Ordinal);
    private readonly RouteSeriesTable _series;
    private readonly LogTable _logs;

    public RouteFactory(RouteSeriesTable series, LogTable logs)
    {
        _series = series;
        _logs = logs;
    }

    /// <param name="backends">Those of the whole configuration.</param>
    public RouteTable CreateTable(ListenerConfig listener, PreparedBackends backends)
    {
        RouteNames names = NamesOf(listener.Scope, backends);
        if (listener.Servers.IsEmpty)
        {
            return new RouteTable(
                listener.Routes.Select(route => TryCreate(route, names)).OfType<Route>())
            {
                ExpectsProxyProtocol = listener.ExpectsProxyProtocol,
            };
        }

        return new RouteTable(new ServerTable(
        [
            .. listener.Servers.Select(server =>
                (server, CreateServer(server, route => CreateLocation(route, names)))),
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

    private RouteNames NamesOf(ScopeConfig? scope, PreparedBackends backends)
    {
        if (scope is null)
        {
            return new RouteNames(backends.Backends, _zones);
        }

        if (!_scopedZones.TryGetValue(scope.Name, out ZoneTable? zones))
        {
            _scopedZones.Add(scope.Name, zones = new ZoneTable());
        }

        string prefix = scope.Qualify("");
        return new RouteNames(
            backends.Configs.Where(config => config.Scope?.Name == scope.Name).ToDictionary(
                config => config.Name[prefix.Length..],
                config => backends.Backends[config.Name],
                StringComparer.Ordinal),
            zones);
    }

    /// <summary>Null for a route to a backend that does not exist.</summary>
    private Route? TryCreate(RouteConfig config, RouteNames names)
    {
        Backend? backend = config.Backend is null
            ? null
            : names.Backends.GetValueOrDefault(config.Backend);
        return config.Backend is not null && backend is null
            ? null
            : Create(config, backend, names);
    }

    private Route CreateLocation(RouteConfig config, RouteNames names)
    {
        Route route = Create(
            config,
            config.Backend is null ? null : names.Backends.GetValueOrDefault(config.Backend),
            names);
        route.Backends = names.Backends;
        route.Complete(inner => CreateLocation(inner, names));
        return route;
    }

    private Route Create(RouteConfig config, Backend? backend, RouteNames names)
    {
        RouteFlow? flow = config.Flow is null ? null : new RouteFlow(config.Flow, names.Zones);
        var route = new Route(config, backend, flow)
        {
            Logs = config.AccessLogs.IsDefault ? null : _logs.Of(config.AccessLogs),
            ErrorSinks = config.ErrorLogs.IsDefault ? null : _logs.SinksOf(config.ErrorLogs),
            Stream = config.Stream is null
                ? null
                : new StreamRule(config.Stream, names.Backends),
        };
        route.Series = _series.SeriesOf(route.Name, config.Backend ?? "");
        return route;
    }
}
