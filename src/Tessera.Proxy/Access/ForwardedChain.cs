using System.Net;
using Tessera.Linux.Net;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Access;

/// <summary>
/// Whom proxies in front of this one name as the client (ngx_http_get_forwarded_addr). Stateless.
/// </summary>
internal static class ForwardedChain
{
    /// <summary>All lines of the field together; more is not looked at.</summary>
    private const int MaxBytes = 4 * 1_024;

    /// <summary>
    /// The client's address as a number; <paramref name="peer"/> if nobody is named.
    /// </summary>
    /// <param name="name">The field's, in lower case with "_" for "-".</param>
    public static UInt128 Find(
        Exchange exchange, ReadOnlySpan<byte> name, AddressRules trusted, bool isRecursive,
        UInt128 peer) =>
        TryFind(exchange, name, trusted, isRecursive, out IPAddress? address, out _)
            ? AddressText.Of(address!)
            : peer;

    /// <summary>False when the peer is not trusted, or names nobody.</summary>
    /// <param name="port">0 when none is named.</param>
    public static bool TryFind(
        Exchange exchange, ReadOnlySpan<byte> name, AddressRules trusted, bool isRecursive,
        out IPAddress? address, out int port)
    {
        address = null;
        port = 0;
        InternetAddress peer = exchange.Client.Peer;
        if (trusted.Find(peer) != true)
        {
            return false;
        }

        var writer = new ByteWriter(stackalloc byte[MaxBytes]);
        if (name.SequenceEqual("x_forwarded_for"u8))
        {
            FieldText.WriteAll(ref writer, exchange.Request, exchange.Received, name);
        }
        else
        {
            // Of any other field only the first line is looked at.
            writer.Write(FieldText.Find(exchange.Request, exchange.Received, name));
        }

        ReadOnlySpan<byte> rest = writer.Written;
        while (true)
        {
            rest = rest.TrimEnd(" ,"u8);
            int start = rest.LastIndexOfAny((byte)' ', (byte)',') + 1;
            if (!AddressText.TryParseEndPoint(rest[start..], out IPAddress? named, out int at))
            {
                return address is not null;
            }

            address = named;
            port = at;
            rest = rest[..start];
            if (!isRecursive || rest.IsEmpty
                || trusted.Find(new InternetAddress(new IPEndPoint(named!, at))) != true)
            {
                return true;
            }
        }
    }
}
