using Tessera.Proxy.Listening;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>What is known of a connection that is no HTTP: nginx's stream session.</summary>
internal sealed partial class Exchange
{
    private ClientHello? _hello;

    /// <summary>What the client's first message asks for; empty until it was looked at.</summary>
    public ClientHello Hello => _hello ??= new ClientHello();

    /// <summary>Received from the client, without what a proxy before it has put there.</summary>
    public long BytesReceived =>
        Client.Transport.Handle.Read.TotalBytes - Client.ProxyHeadBytes;

    /// <summary>Where the connection goes, when the route leaves it open.</summary>
    public void GoTo(Backend backend) => Backend = backend;

    /// <summary>The endpoint of this try has begun to send.</summary>
    public void NoteFirstByte(long nowMs)
    {
        ref Try current = ref _tries[TryCount - 1];
        current.HeadMs = current.HeadMs < 0 ? nowMs : current.HeadMs;
    }

    private void ResetStream() => _hello?.Reset();
}
