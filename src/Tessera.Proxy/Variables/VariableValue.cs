using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;

namespace Tessera.Proxy.Variables;

/// <summary>Writes what a variable says of a request. Stateless.</summary>
internal static class VariableValue
{
    public static void Write(VariableName name, ref ByteWriter writer, Exchange exchange)
    {
        RequestHead head = exchange.Request;
        ReadOnlySpan<byte> received = exchange.Received;
        switch (name.Variable)
        {
            case Variable.RemoteAddr:
                writer.Write(exchange.Client.PeerText);
                break;
            case Variable.RequestMethod:
                writer.Write(received.Slice(head.MethodStart, head.MethodLength));
                break;
            case Variable.RequestUri:
                writer.Write(received.Slice(head.OriginFormStart, head.OriginFormLength));
                break;
            case Variable.Uri:
                writer.Write(exchange.Path);
                break;
            case Variable.Args:
                writer.Write(exchange.Query);
                break;
            case Variable.Host:
                writer.Write(exchange.Host);
                break;
            case Variable.Scheme:
                writer.Write("http"u8);
                break;
            case Variable.Status:
                writer.WriteNumber(exchange.Status);
                break;
            case Variable.BodyBytesSent:
                writer.WriteNumber(exchange.BodyBytesSent);
                break;
            case Variable.UpstreamAddr:
                WriteAddresses(ref writer, exchange);
                break;
            case Variable.Arg:
                writer.Write(FindArgument(exchange.Query, name.Member));
                break;
            case Variable.Http:
                writer.Write(FindField(head, received, name.Member));
                break;
            case Variable.Cookie:
                writer.Write(FindCookie(head, received, name.Member));
                break;
            case Variable.Group when exchange.Groups is { } groups:
                writer.Write(groups[name.Member[0]].ValueSpan);
                break;
            case Variable.Group:
                break;
            default:
                throw new InvalidOperationException($"{name.Variable} has no value");
        }
    }

    /// <summary>The value of the first parameter of that name, as it was sent.</summary>
    public static ReadOnlySpan<byte> FindArgument(
        ReadOnlySpan<byte> query, ReadOnlySpan<byte> name)
    {
        while (!query.IsEmpty)
        {
            int end = query.IndexOf((byte)'&');
            ReadOnlySpan<byte> pair = end < 0 ? query : query[..end];
            if (pair.Length > name.Length && pair[name.Length] == '=' && pair.StartsWith(name))
            {
                return pair[(name.Length + 1)..];
            }

            query = end < 0 ? default : query[(end + 1)..];
        }

        return default;
    }

    /// <summary>The value of the first field of that name, whose "-" are "_" here.</summary>
    public static ReadOnlySpan<byte> FindField(
        RequestHead head, ReadOnlySpan<byte> received, ReadOnlySpan<byte> name)
    {
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.NameLength == name.Length && IsName(field.Name(received), name))
            {
                return field.Value(received);
            }
        }

        return default;
    }

    /// <summary>The value of the first cookie of that name (RFC 6265 section 4.2).</summary>
    public static ReadOnlySpan<byte> FindCookie(
        RequestHead head, ReadOnlySpan<byte> received, ReadOnlySpan<byte> name)
    {
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.Kind != HeaderKind.Cookie)
            {
                continue;
            }

            ReadOnlySpan<byte> rest = field.Value(received);
            while (!rest.IsEmpty)
            {
                int end = rest.IndexOf((byte)';');
                ReadOnlySpan<byte> pair = (end < 0 ? rest : rest[..end]).Trim((byte)' ');
                if (pair.Length > name.Length && pair[name.Length] == '='
                    && pair.StartsWith(name))
                {
                    return pair[(name.Length + 1)..];
                }

                rest = end < 0 ? default : rest[(end + 1)..];
            }
        }

        return default;
    }

    private static bool IsName(ReadOnlySpan<byte> sent, ReadOnlySpan<byte> name)
    {
        for (int i = 0; i < name.Length; i++)
        {
            int letter = sent[i] == '-' ? '_' : char.ToLowerInvariant((char)sent[i]);
            if (letter != name[i])
            {
                return false;
            }
        }

        return true;
    }

    private static void WriteAddresses(ref ByteWriter writer, Exchange exchange)
    {
        ReadOnlySpan<Try> tries = exchange.Tries;
        for (int i = 0; i < tries.Length; i++)
        {
            writer.Write(i > 0 ? ", "u8 : default);
            writer.Write(tries[i].Endpoint.AddressText);
        }
    }
}
