using System.Diagnostics;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// One try of a request on one endpoint, for the access log. Times are on the reactor's clock.
/// </summary>
internal struct Try
{
    /// <summary>Null when there was none to try: nginx's "no live upstreams".</summary>
    public Endpoint? Endpoint;

    /// <summary>"address:port", or the backend's name when there was none to try.</summary>
    public byte[] AddressText;
    public long StartMs;

    /// <summary>-1 until there was a connection.</summary>
    public long ConnectedMs;

    /// <summary>-1 until the head of its response was there.</summary>
    public long HeadMs;

    /// <summary>-1 until the try ended.</summary>
    public long EndMs;

    /// <summary>
    /// Of the response, or of the error that it failed with; 0 until there is one.
    /// </summary>
    public int Status;

    /// <summary>What the connection had carried before the try.</summary>
    public long SentBefore;
    public long ReceivedBefore;

    /// <summary>What the try carried, once it ended.</summary>
    public long BytesSent;
    public long BytesReceived;

    /// <summary>Received up to the end of the response's head.</summary>
    public long HeadBytes;

    /// <summary>For traces; 0 without one. Ticks are <see cref="Stopwatch"/>'s.</summary>
    public ulong SpanId;
    public long StartTicks;
    public long EndTicks;
}
