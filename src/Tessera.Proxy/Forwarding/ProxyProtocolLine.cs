using Tessera.Linux.Net;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Writes the line of the PROXY protocol, version 1, that tells an upstream server whose connection
/// it gets: "PROXY TCP4 client server port port". Stateless.
/// </summary>
internal static class ProxyProtocolLine
{
    /// <summary>Of the longest line, with room to spare.</summary>
    public const int MaxBytes = 256;

    /// <summary>Returns the bytes written.</summary>
    public static int Write(Exchange exchange, Span<byte> destination)
    {
        var writer = new ByteWriter(destination);
        ClientConnection client = exchange.Client;
        InternetAddress peer = exchange.Peer;
        if (peer.Family == 0 || peer.IsUnix || peer.Family != client.Peer.Family
            || client.Listener.Address is PathEndPoint)
        {
            // A client of the other kind, as another proxy named it, did not connect to this end.
            writer.Write("PROXY UNKNOWN\r\n"u8);
            return writer.Length;
        }

        writer.Write(peer.IsIPv4 ? "PROXY TCP4 "u8 : "PROXY TCP6 "u8);
        writer.Write(exchange.PeerText);
        writer.Write((byte)' ');
        writer.Write(client.LocalText);
        writer.Write((byte)' ');
        writer.WriteNumber(peer.Port);
        writer.Write((byte)' ');
        writer.WriteNumber(client.Listener.Address.Port);
        writer.Write("\r\n"u8);
        return writer.Length;
    }
}
