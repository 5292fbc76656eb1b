using System.Collections.Immutable;
using System.Globalization;
using Tessera.Proxy;

namespace Tessera.Metrics;

/// <summary>
/// The page that Prometheus reads. The labels are names of routes, backends, endpoints and
/// reactors: what clients send is in none of them. Stateless.
/// </summary>
internal static class MetricsPage
{
    private static readonly ImmutableArray<(HealthState State, string Name)> HealthStates =
    [
        (HealthState.Well, "well"),
        (HealthState.Avoided, "avoided"),
        (HealthState.Ejected, "ejected"),
        (HealthState.FailingProbe, "failing_probe"),
    ];

    public static string Write(ProxyMetrics metrics)
    {
        var text = new PrometheusText();
        WriteRequests(text, metrics.Routes);
        WriteDurations(text, metrics.Routes);
        WriteBackends(text, metrics.Backends);
        WriteReactors(text, metrics.Reactors);
        WriteLosses(text, metrics);
        WriteProcess(text, ProcessStatistics.Read());
        return text.ToString();
    }

    private static void WriteRequests(PrometheusText text, ImmutableArray<RouteTotals> routes)
    {
        text.Family("tessera_requests_total", "counter", "Requests that ended, by status class.");
        foreach (RouteTotals route in routes)
        {
            ImmutableArray<long> classes = route.Requests.ByStatusClass;
            for (int i = 1; i < classes.Length; i++)
            {
                text.Sample(classes[i], ("route", route.Route), ("backend", route.Backend),
                    ("code", $"{i}xx"));
            }
        }

        Count(text, routes, "tessera_request_bytes_total",
            "Bytes of requests, heads included.", r => r.BytesReceived);
        Count(text, routes, "tessera_response_bytes_total",
            "Bytes of responses, heads included.", r => r.BytesSent);
        Count(text, routes, "tessera_retries_total",
            "Tries of requests beyond the first.", r => r.Retries);
        Count(text, routes, "tessera_held_requests_total",
            "Requests that waited for an endpoint.", r => r.Held);
        Count(text, routes, "tessera_held_seconds_total",
            "Time that requests waited for an endpoint.", r => r.HeldMs / 1_000d);

        ByKind(text, routes, "tessera_request_errors_total",
            "Requests that ended with an error of the proxy, by its kind.", r => r.Errors);
        ByKind(text, routes, "tessera_limited_requests_total",
            "Requests that a limit refused or made wait, by the limit's kind.", r => r.Limited);
    }

    private static void ByKind(
        PrometheusText text,
        ImmutableArray<RouteTotals> routes,
        string name,
        string help,
        Func<RequestTotals, ImmutableArray<KindTotal>> kinds)
    {
        text.Family(name, "counter", help);
        foreach (RouteTotals route in routes)
        {
            foreach (KindTotal kind in kinds(route.Requests))
            {
                text.Sample(kind.Count, ("route", route.Route), ("backend", route.Backend),
                    ("kind", kind.Kind));
            }
        }
    }

    private static void WriteDurations(PrometheusText text, ImmutableArray<RouteTotals> routes)
    {
        text.Family("tessera_request_duration_seconds", "histogram",
            "From the first byte of a request to the last of its response.");
        Durations(text, routes, r => r.Duration);
        text.Family("tessera_upstream_duration_seconds", "histogram",
            "From the choice of an endpoint to the end of its response, for each try.");
        Durations(text, routes, r => r.UpstreamDuration);
    }

    private static void Count(
        PrometheusText text,
        ImmutableArray<RouteTotals> routes,
        string name,
        string help,
        Func<RequestTotals, double> value)
    {
        text.Family(name, "counter", help);
        foreach (RouteTotals route in routes)
        {
            text.Sample(
                value(route.Requests), ("route", route.Route), ("backend", route.Backend));
        }
    }

    private static void Durations(
        PrometheusText text,
        ImmutableArray<RouteTotals> routes,
        Func<RequestTotals, DurationTotals> select)
    {
        foreach (RouteTotals route in routes)
        {
            DurationTotals duration = select(route.Requests);
            text.Histogram(duration.BoundsMs, duration.Counts, duration.SumMs,
                ("route", route.Route), ("backend", route.Backend));
        }
    }

    private static void WriteBackends(PrometheusText text, ImmutableArray<BackendStatus> backends)
    {
        text.Family("tessera_held_requests", "gauge", "Requests that wait for an endpoint.");
        foreach (BackendStatus backend in backends)
        {
            text.Sample(backend.Held, ("backend", backend.Backend));
        }

        text.Family("tessera_endpoint_state", "gauge", "1 for the state that the endpoint is in.");
        foreach (EndpointStatus endpoint in backends.SelectMany(b => b.Endpoints))
        {
            foreach (EndpointState state in Enum.GetValues<EndpointState>())
            {
                text.Sample(endpoint.State == state ? 1 : 0, ("backend", endpoint.Backend),
                    ("endpoint", endpoint.Endpoint),
                    ("state", state.ToString().ToLowerInvariant()));
            }
        }

        text.Family("tessera_endpoint_health", "gauge",
            "1 for what is held against the endpoint: well is nothing.");
        foreach (EndpointStatus endpoint in backends.SelectMany(b => b.Endpoints))
        {
            foreach ((HealthState state, string name) in HealthStates)
            {
                text.Sample(endpoint.Health.State == state ? 1 : 0,
                    ("backend", endpoint.Backend), ("endpoint", endpoint.Endpoint),
                    ("state", name));
            }
        }

        Endpoints(text, backends, "tessera_endpoint_in_flight", "gauge",
            "Requests on their way to the endpoint or back.", e => e.InFlight);
        Endpoints(text, backends, "tessera_endpoint_requests_total", "counter",
            "Tries at the endpoint.", e => e.Requests);
        Endpoints(text, backends, "tessera_endpoint_failures_total", "counter",
            "Tries that the endpoint failed.", e => e.Failures);
        Endpoints(text, backends, "tessera_endpoint_weight", "gauge",
            "Its share among the endpoints of its backend.", e => e.Weight);
    }

    private static void Endpoints(
        PrometheusText text,
        ImmutableArray<BackendStatus> backends,
        string name,
        string type,
        string help,
        Func<EndpointStatus, double> value)
    {
        text.Family(name, type, help);
        foreach (EndpointStatus endpoint in backends.SelectMany(b => b.Endpoints))
        {
            text.Sample(
                value(endpoint), ("backend", endpoint.Backend), ("endpoint", endpoint.Endpoint));
        }
    }

    private static void WriteReactors(PrometheusText text, ImmutableArray<ReactorTotals> reactors)
    {
        text.Family("tessera_connections", "gauge", "Connections of clients, by what they do.");
        foreach (ReactorTotals one in reactors)
        {
            long active = Math.Min(one.Active, one.Connections);
            text.Sample(active, ("reactor", Name(one)), ("state", "active"));
            text.Sample(one.Connections - active, ("reactor", Name(one)), ("state", "idle"));
        }

        Reactors(text, reactors, "tessera_connections_accepted_total",
            "Connections taken.", r => r.Accepted);
        Reactors(text, reactors, "tessera_connections_refused_total",
            "Connections turned away because there were too many.", r => r.Refused);
        Reactors(text, reactors, "tessera_tunnels_total",
            "Connections passed through that are no HTTP.", r => r.Tunnels);
        Reactors(text, reactors, "tessera_reactor_turns_total",
            "How often a reactor waited and went on.", r => r.Turns);
        Reactors(text, reactors, "tessera_reactor_busy_seconds_total",
            "Time that a reactor did not wait for something to do.", r => r.BusySeconds);
        Reactors(text, reactors, "tessera_reactor_busy_polling_seconds_total",
            "Time of waiting that a reactor spent asking, and not asleep.", r => r.AskedSeconds);
    }

    private static void Reactors(
        PrometheusText text,
        ImmutableArray<ReactorTotals> reactors,
        string name,
        string help,
        Func<ReactorTotals, double> value)
    {
        text.Family(name, "counter", help);
        foreach (ReactorTotals reactor in reactors)
        {
            text.Sample(value(reactor), ("reactor", Name(reactor)));
        }
    }

    private static string Name(ReactorTotals reactor) =>
        reactor.Reactor.ToString(CultureInfo.InvariantCulture);

    private static void WriteLosses(PrometheusText text, ProxyMetrics metrics) => text
        .Family("tessera_access_log_dropped_lines_total", "counter",
            "Lines of access logs that were lost.")
        .Sample(metrics.DroppedLogLines)
        .Family("tessera_error_log_suppressed_lines_total", "counter",
            "Lines of the error log that were left out because there were too many.")
        .Sample(metrics.SuppressedErrors)
        .Family("tessera_traces_dropped_total", "counter",
            "Sampled traces that found no room in the queue to their exporter.")
        .Sample(metrics.DroppedTraces);

    private static void WriteProcess(PrometheusText text, ProcessStatistics process) => text
        .Family("tessera_build", "gauge", "1, with the version of the program.")
        .Sample(1, ("version", ProgramVersion.Text))
        .Family("process_cpu_seconds_total", "counter", "User and system time.")
        .Sample(process.CpuSeconds)
        .Family("process_resident_memory_bytes", "gauge", "Memory in use.")
        .Sample(process.ResidentBytes)
        .Family("process_virtual_memory_bytes", "gauge", "Address space in use.")
        .Sample(process.VirtualBytes)
        .Family("process_threads", "gauge", "Threads.")
        .Sample(process.Threads)
        .Family("process_open_fds", "gauge", "Open files.")
        .Sample(process.OpenFiles)
        .Family("process_max_fds", "gauge", "Files that may be open; 0 without a limit.")
        .Sample(process.MaxOpenFiles)
        .Family("process_start_time_seconds", "gauge", "When it began, since 1970.")
        .Sample(process.StartUnixSeconds)
        .Family("tessera_gc_collections_total", "counter", "Garbage collections, by generation.")
        .Sample(GC.CollectionCount(0), ("generation", "0"))
        .Sample(GC.CollectionCount(1), ("generation", "1"))
        .Sample(GC.CollectionCount(2), ("generation", "2"))
        .Family("tessera_gc_heap_bytes", "gauge", "Managed memory, as of the last collection.")
        .Sample(GC.GetGCMemoryInfo().HeapSizeBytes);
}
