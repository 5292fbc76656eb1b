using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>
/// What the data plane has counted since it began, and what it carries at this moment. Numbers of
/// one moment, but of no single instant: reactors count on while they are read.
/// </summary>
public sealed record ProxyMetrics
{
    public required ImmutableArray<RouteTotals> Routes { get; init; }

    public required ImmutableArray<ReactorTotals> Reactors { get; init; }

    public required ImmutableArray<BackendStatus> Backends { get; init; }

    /// <summary>Lines of access logs that were lost.</summary>
    public required long DroppedLogLines { get; init; }

    /// <summary>Lines of the error log that were left out because there were too many.</summary>
    public required long SuppressedErrors { get; init; }

    /// <summary>Traces that found their queue full.</summary>
    public required long DroppedTraces { get; init; }
}

/// <param name="Route">Empty for requests that matched none.</param>
/// <param name="Backend">Empty for routes that answer by themselves.</param>
public sealed record RouteTotals(string Route, string Backend, RequestTotals Requests);

/// <summary>Requests that have ended.</summary>
public sealed record RequestTotals
{
    /// <summary>By the first digit of the status, 0 to 5.</summary>
    public required ImmutableArray<long> ByStatusClass { get; init; }

    /// <summary>From the first byte of a request to the last of its answer.</summary>
    public required DurationTotals Duration { get; init; }

    /// <summary>Of each try at an endpoint.</summary>
    public required DurationTotals UpstreamDuration { get; init; }

    public required long BytesReceived { get; init; }

    public required long BytesSent { get; init; }

    /// <summary>Tries beyond the first.</summary>
    public required long Retries { get; init; }

    /// <summary>Requests that waited for an endpoint, and for how long in all.</summary>
    public required long Held { get; init; }

    public required long HeldMs { get; init; }

    /// <summary>Requests that ended with an error of the proxy, by its kind.</summary>
    public required ImmutableArray<KindTotal> Errors { get; init; }

    /// <summary>Requests that a limit refused or made wait, by the limit's kind.</summary>
    public required ImmutableArray<KindTotal> Limited { get; init; }
}

public sealed record KindTotal(string Kind, long Count);

/// <param name="BoundsMs">Upper bounds, inclusive.</param>
/// <param name="Counts">One for each bound, and one for what is above the last.</param>
public sealed record DurationTotals(
    ImmutableArray<int> BoundsMs, ImmutableArray<long> Counts, long SumMs);

/// <param name="Connections">Of clients, at this moment.</param>
/// <param name="Active">Of these, with a request or a tunnel.</param>
/// <param name="Refused">Closed at once because there were too many.</param>
/// <param name="BusySeconds">Time that was not spent waiting for something to do.</param>
/// <param name="AskedSeconds">Time of waiting that was spent asking, and not asleep.</param>
public sealed record ReactorTotals(
    int Reactor,
    int Connections,
    long Active,
    long Accepted,
    long Refused,
    long Tunnels,
    long Turns,
    double BusySeconds,
    double AskedSeconds);
