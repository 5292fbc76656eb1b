using System.Collections.Immutable;
using Tessera.Proxy;
using Tessera.Stack.Discovery;

namespace Tessera.Daemon;

/// <summary>
/// What an instance or an external server gets from the balancer, as the balancer has it: the words
/// of <c>ps</c> and the counters. Pure.
/// </summary>
/// <param name="Word">active, draining, held, out; empty where nothing is routed.</param>
/// <param name="Reason">Why, where it is not plainly active.</param>
internal readonly record struct Traffic(string Word, string Reason, int InFlight, long Requests)
{
    private const string NoWeight = "its weight is 0";

    public static readonly Traffic None = new("", "", 0, 0);

    /// <param name="backends">Those of its service; none when it publishes nothing.</param>
    /// <param name="listenFault">Why nobody can reach the service; null when all can.</param>
    public static Traffic Of(
        Instance instance, ImmutableArray<BackendStatus> backends, string? listenFault)
    {
        ImmutableArray<EndpointStatus> own = EndpointsOf(backends, id => id == instance.Id);
        BackendStatus? backend = backends.FirstOrDefault(b => b.Endpoints.Any(own.Contains))
            ?? backends.FirstOrDefault();
        if (backend is null)
        {
            return None;
        }

        (EndpointState state, string reason) = RouteBuilder.TrafficOf(instance);
        (string Word, string Reason) verdict = state switch
        {
            EndpointState.Draining => ("draining", reason),
            _ when listenFault is not null => ("out", listenFault),
            EndpointState.Active => OfEndpoints(own, backend, "the balancer does not have it"),
            // Nothing of the service is ready, but this one will be: requests wait for it.
            _ when !instance.IsFinal && !backend.Endpoints.Any(IsServing) =>
                backend.UnavailableReason is { } unavailable
                    ? ("out", unavailable)
                    : ("held", reason),
            _ => ("out", reason),
        };
        return Counted(verdict, own);
    }

    /// <param name="address">host:port, as the file has it.</param>
    public static Traffic OfExternal(
        string address, string host, ImmutableArray<BackendStatus> backends, string? listenFault)
    {
        if (backends.IsEmpty)
        {
            return None;
        }

        ImmutableArray<EndpointStatus> own = EndpointsOf(
            backends, id => id.StartsWith(address + "@", StringComparison.Ordinal));
        return Counted(
            listenFault is not null
                ? ("out", listenFault)
                : OfEndpoints(own, backends[0], $"{host} does not resolve"),
            own);
    }

    private static (string Word, string Reason) OfEndpoints(
        ImmutableArray<EndpointStatus> own, BackendStatus backend, string absent)
    {
        if (own.IsEmpty)
        {
            return ("out", absent);
        }

        if (!own.Any(IsServing))
        {
            return ("out", NoWeight);
        }

        if (own.Any(e => IsServing(e) && !e.IsAvoided))
        {
            return ("active", "");
        }

        string why = own.Select(e => e.Health.Reason).FirstOrDefault(r => r.Length > 0)
            ?? "it failed lately";
        return backend.Endpoints.Any(e => IsServing(e) && !e.IsAvoided)
            ? ("out", $"{why}: others are tried first")
            : ("active", why);
    }

    private static bool IsServing(EndpointStatus endpoint) =>
        endpoint is { State: EndpointState.Active, Weight: > 0 };

    private static ImmutableArray<EndpointStatus> EndpointsOf(
        ImmutableArray<BackendStatus> backends, Predicate<string> isOwn) =>
        [.. backends.SelectMany(b => b.Endpoints).Where(e => isOwn(e.Endpoint))];

    private static Traffic Counted(
        (string Word, string Reason) verdict, ImmutableArray<EndpointStatus> own) =>
        new(verdict.Word, verdict.Reason, own.Sum(e => e.InFlight), own.Sum(e => e.Requests));
}
