using Tessera.Proxy.Listening;

namespace Tessera.Proxy.Forwarding;

/// <summary>What is known of a connection that is no HTTP: nginx's stream session.</summary>
internal sealed partial class Exchange
{
    private ClientHello? _hello;

    /// <summary>What the client's first message asks for; empty until it was looked at.</summary>
    public ClientHello Hello => _hello ??= new ClientHello();

    /// <summary>
    /// Received from the client and passed on; as with nginx nothing, while there is nobody to pass
    /// it on to. What a proxy before this one has put there does not count.
    /// </summary>
    public long BytesReceived => Tries is [.., { ConnectedMs: >= 0 }]
        ? Client.Transport.Handle.Read.TotalBytes - Client.ProxyHeadBytes
        : Client.Datagrams?.WaitingBytes ?? 0;

    /// <summary>It is being passed on, or was.</summary>
    public bool IsRelayed { get; set; }

    /// <summary>The endpoint of this try has begun to send.</summary>
    public void NoteFirstByte(long nowMs)
    {
        ref Try current = ref _tries[TryCount - 1];
        current.HeadMs = current.HeadMs < 0 ? nowMs : current.HeadMs;
    }

    private void ResetStream()
    {
        _hello?.Reset();
        IsRelayed = false;
    }
}
