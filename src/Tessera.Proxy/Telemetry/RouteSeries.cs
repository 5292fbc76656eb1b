namespace Tessera.Proxy.Telemetry;

/// <summary>
/// The counters of the requests of one route to one backend, for each reactor. Outlasts the
/// configurations that have the route. Immutable; the counters are their reactors'.
/// </summary>
internal sealed class RouteSeries
{
    private readonly RequestCounters[] _counters;

    public RouteSeries(string route, string backend, int reactors)
    {
        Route = route;
        Backend = backend;
        _counters = new RequestCounters[reactors];
        for (int i = 0; i < reactors; i++)
        {
            _counters[i] = new RequestCounters();
        }
    }

    public string Route { get; }

    public string Backend { get; }

    public RequestCounters CountersOf(int reactor) => _counters[reactor];

    public RouteTotals Read() => new(Route, Backend, RequestCounters.Sum(_counters));
}

/// <summary>
/// All <see cref="RouteSeries"/> by name, so that a route counts on when its configuration changes.
/// Used under the server's lock.
/// </summary>
internal sealed class RouteSeriesTable
{
    /// <summary>Routes beyond this share one series: a scrape must stay readable.</summary>
    private const int MaxSeries = 1_024;

    private readonly int _reactors;
    private readonly RouteSeries _others;
    private Dictionary<(string, string), RouteSeries> _series = [];
    private Dictionary<(string, string), RouteSeries> _next = [];

    public RouteSeriesTable(int reactors)
    {
        _reactors = reactors;
        _others = new RouteSeries("(others)", "", reactors);
    }

    /// <summary>
    /// A configuration begins to be applied: what one asked for that failed is forgotten.
    /// </summary>
    public void BeginRound() => _next = [];

    /// <summary>The counters of a route in the configuration that is being applied.</summary>
    public RouteSeries SeriesOf(string route, string backend)
    {
        if (_next.TryGetValue((route, backend), out RouteSeries? series))
        {
            return series;
        }

        if (_next.Count >= MaxSeries)
        {
            return _others;
        }

        series = _series.GetValueOrDefault((route, backend))
            ?? new RouteSeries(route, backend, _reactors);
        _next.Add((route, backend), series);
        return series;
    }

    /// <summary>The configuration is applied: what it did not ask for is forgotten.</summary>
    public void EndRound()
    {
        _series = _next;
        _next = [];
    }

    public IEnumerable<RouteTotals> Read() =>
        _series.Values.Append(_others).Select(s => s.Read());
}
