using Tessera.Linux.Net;

namespace Tessera.Proxy.Routing;

/// <summary>What the choice of an endpoint depends on besides the backend: one request.</summary>
internal readonly ref struct Selection
{
    public Selection()
    {
    }

    public required InternetAddress Client { get; init; }

    /// <summary>Value of <see cref="BackendConfig.HashKey"/>; empty for other algorithms.</summary>
    public ReadOnlySpan<byte> Key { get; init; }

    /// <summary>The endpoint that the client's cookie names.</summary>
    public Endpoint? Bound { get; init; }

    /// <summary>Endpoints that the request has been to.</summary>
    public required List<Endpoint> Tried { get; init; }

    /// <summary>On the reactors' clock.</summary>
    public required long NowMs { get; init; }

    /// <summary>Endpoints that failed lately are left out.</summary>
    public bool AvoidsFailed { get; init; } = true;

    /// <summary>A request takes one turn, however often it is tried.</summary>
    public bool IsFirstTry => Tried.Count == 0 && AvoidsFailed;

    /// <summary>Whether the request does not go there whatever the endpoint says.</summary>
    public bool Excludes(Endpoint endpoint) =>
        (Tried.Count > 0 && Tried.Contains(endpoint))
        || (AvoidsFailed && endpoint.IsAvoided(NowMs))
        || (Tried.Count > 0 && endpoint.Health.IsShunned);

    /// <summary>The same when nothing better is left.</summary>
    public Selection IncludingFailed() => new()
    {
        Client = Client,
        Key = Key,
        Bound = Bound,
        Tried = Tried,
        NowMs = NowMs,
        AvoidsFailed = false,
    };
}
