using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Listening;

namespace Tessera.Proxy.Variables;

/// <summary>What variables say of a connection that is no HTTP. Stateless.</summary>
internal static class StreamValue
{
    public static void Write(Variable variable, ref ByteWriter writer, Exchange exchange)
    {
        switch (variable)
        {
            case Variable.Protocol:
                writer.Write(exchange.Client.ProtocolText);
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
                WriteProxyHead(variable, ref writer, exchange.Client.ProxyHead);
                break;
        }
    }

    /// <summary>Of the PROXY protocol's head, by its name behind the variable's prefix.</summary>
    public static void WriteField(
        ref ByteWriter writer, ProxyProtocolHead? head, ReadOnlySpan<byte> name)
    {
        if (head is null)
        {
            return;
        }

        if (name.SequenceEqual("ssl_verify"u8))
        {
            if (head.Fields.TlsVerification is { } verification)
            {
                writer.WriteNumber(verification);
            }

            return;
        }

        writer.Write(head.Fields.Find(name));
    }

    /// <summary>Empty where no proxy before this one said anything.</summary>
    private static void WriteProxyHead(
        Variable variable, ref ByteWriter writer, ProxyProtocolHead? head)
    {
        switch (variable)
        {
            case Variable.ProxyProtocolAddr:
                writer.Write(head?.SourceText);
                break;
            case Variable.ProxyProtocolServerAddr:
                writer.Write(head?.DestinationText);
                break;
            case Variable.ProxyProtocolPort when head?.Source is { } source:
                writer.WriteNumber(source.Port);
                break;
            case Variable.ProxyProtocolServerPort when head?.Destination is { } destination:
                writer.WriteNumber(destination.Port);
                break;
            default:
                break;
        }
    }
}
