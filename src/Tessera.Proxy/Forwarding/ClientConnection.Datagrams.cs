using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// A peer of a datagram socket: it has no connection of its own, and is otherwise one client of
/// nginx's stream as the others are.
/// </summary>
internal sealed partial class ClientConnection
{
    /// <summary>Null for a connection.</summary>
    public DatagramSession? Datagrams { get; init; }

    /// <summary>The whole life of a session.</summary>
    public async ReactorTask<bool> RunSessionAsync(Route route, StreamRule rule)
    {
        DatagramSession session = Datagrams!;
        try
        {
            if (session.Peer.Local.Family != 0)
            {
                _localText = session.Peer.Local.HostText();
            }

            await ServeStreamAsync(route, rule);
        }
        catch (Exception exception)
        {
            // A bug costs this session and no other.
            _exchange?.Abandon();
            Reactor.ReportFault(exception);
        }

        session.End();
        Close();
        return true;
    }

    /// <summary>Cuts it, whatever it is doing.</summary>
    public void Abort()
    {
        Datagrams?.Abort();
        Transport.Abort();
    }

    /// <summary>"udp " in the lines of nginx's logs.</summary>
    public string LogPrefix => Datagrams is null ? "" : "udp ";

    /// <summary>The reply's text as one datagram.</summary>
    private void ReplyToPeer(ReadOnlySpan<byte> text) => Datagrams!.Send(text);

    /// <summary>TCP or UDP, as $protocol has it.</summary>
    public ReadOnlySpan<byte> ProtocolText => Datagrams is null ? "TCP"u8 : "UDP"u8;
}
