using Tessera.Proxy.Http;

namespace Tessera.Proxy.Routing;

/// <summary>What of a request decides its route. Lives on the stack.</summary>
internal readonly ref struct RouteRequest
{
    /// <summary>As the client sent it, with or without port.</summary>
    public required ReadOnlySpan<byte> Host { get; init; }

    /// <summary>Decoded and normal, without query; empty for "*".</summary>
    public required ReadOnlySpan<byte> Path { get; init; }

    /// <summary>Without "?", as the client sent it.</summary>
    public ReadOnlySpan<byte> Query { get; init; }

    public required RequestHead Head { get; init; }

    /// <summary>What the offsets of <see cref="Head"/> count in.</summary>
    public required ReadOnlySpan<byte> Received { get; init; }

    public ReadOnlySpan<byte> Method => Received.Slice(Head.MethodStart, Head.MethodLength);
}
