using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Variables;

/// <summary>What variables say of a connection that is no HTTP. Stateless.</summary>
internal static class StreamValue
{
    public static void Write(Variable variable, ref ByteWriter writer, Exchange exchange)
    {
        switch (variable)
        {
            case Variable.Protocol:
                writer.Write("TCP"u8);
                break;
            case Variable.BytesReceived:
                writer.WriteNumber(exchange.BytesReceived);
                break;
            case Variable.SessionTime:
                VariableValue.WriteSeconds(
                    ref writer, exchange.Client.Shard.Reactor.NowMs - exchange.StartMs);
                break;
            case Variable.SslPrereadProtocol:
                writer.Write(exchange.Hello.Version);
                break;
            case Variable.SslPrereadServerName:
                writer.Write(exchange.Hello.ServerName);
                break;
            case Variable.SslPrereadAlpnProtocols:
                writer.Write(exchange.Hello.Protocols);
                break;
            default:
                break;
        }
    }
}
