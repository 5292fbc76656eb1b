using Tessera.Linux.Net;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Variables;

/// <summary>What variables say of a client's connection. Stateless.</summary>
internal static class ConnectionValue
{
    public static void Write(Variable variable, ref ByteWriter writer, Exchange exchange)
    {
        ClientConnection client = exchange.Client;
        switch (variable)
        {
            case Variable.RemoteAddr:
                writer.Write(exchange.PeerText);
                break;
            case Variable.RemotePort:
                if (exchange.Peer.Port > 0)
                {
                    writer.WriteNumber(exchange.Peer.Port);
                }

                break;
            case Variable.RealipRemoteAddr:
                writer.Write(client.PeerText);
                break;
            case Variable.RealipRemotePort:
                if (client.Peer.Port > 0)
                {
                    writer.WriteNumber(client.Peer.Port);
                }

                break;
            case Variable.BinaryRemoteAddr:
                InternetAddress peer = exchange.Peer;
                writer.Write(peer.IsUnix ? "unix:"u8 : peer.Host);
                break;
            case Variable.ServerAddr:
                writer.Write(client.LocalText);
                break;
            case Variable.ServerPort:
                if (client.Listener.Address.Port > 0)
                {
                    writer.WriteNumber(client.Listener.Address.Port);
                }

                break;
            case Variable.Connection:
                writer.WriteNumber(client.Serial);
                break;
            case Variable.ConnectionRequests:
                writer.WriteNumber(client.Requests);
                break;
            case Variable.ConnectionTime:
                VariableValue.WriteSeconds(
                    ref writer, client.Shard.Reactor.NowMs - client.StartMs);
                break;
            case Variable.Pipe:
                writer.Write(client.IsPipelined ? "p"u8 : "."u8);
                break;
            default:
                WriteTcp(variable, ref writer, client);
                break;
        }
    }

    /// <summary>Costs a system call; nothing for a connection that is gone.</summary>
    private static void WriteTcp(
        Variable variable, ref ByteWriter writer, ClientConnection client)
    {
        if (SocketCalls.GetTcpState(
            client.Transport.Handle.Descriptor, out TcpState state).IsSuccess)
        {
            writer.WriteNumber(variable switch
            {
                Variable.TcpinfoRtt => state.RoundTripUs,
                Variable.TcpinfoRttvar => state.RoundTripVarianceUs,
                Variable.TcpinfoSndCwnd => state.CongestionWindow,
                _ => state.ReceiveSpace,
            });
        }
    }
}
