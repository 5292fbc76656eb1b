using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>A sampled request: its server span, and a client span for each try.</summary>
public sealed record RequestTrace
{
    /// <summary>The trace's id, its first eight bytes and its last.</summary>
    public required ulong TraceHigh { get; init; }

    public required ulong TraceLow { get; init; }

    /// <summary>The client's tracestate as it was sent, which only is passed on; or "".</summary>
    public required string TraceState { get; init; }

    public required ulong SpanId { get; init; }

    /// <summary>0 when the trace begins here.</summary>
    public required ulong ParentId { get; init; }

    /// <summary>Nanoseconds since 1970.</summary>
    public required long StartNs { get; init; }

    public required long EndNs { get; init; }

    public required string Method { get; init; }

    public required string Scheme { get; init; }

    public required string Host { get; init; }

    public required string Path { get; init; }

    /// <summary>Without "?".</summary>
    public required string Query { get; init; }

    public required string UserAgent { get; init; }

    public required string ClientAddress { get; init; }

    /// <summary>"1.0" or "1.1".</summary>
    public required string ProtocolVersion { get; init; }

    /// <summary>Empty without one.</summary>
    public required string Route { get; init; }

    public required string Backend { get; init; }

    /// <summary>0 when none was sent.</summary>
    public required int Status { get; init; }

    public required ImmutableArray<TrySpan> Tries { get; init; }
}

/// <summary>One try of a request at one endpoint.</summary>
/// <param name="Id">What the endpoint got as the id of its parent.</param>
/// <param name="Instance">The endpoint's id.</param>
/// <param name="Status">Of its response, or of the error; 0 for neither.</param>
/// <param name="HasAnswered">Its status is its own.</param>
public sealed record TrySpan(
    ulong Id,
    long StartNs,
    long EndNs,
    string Instance,
    string Address,
    int Port,
    int Status,
    bool HasAnswered);
