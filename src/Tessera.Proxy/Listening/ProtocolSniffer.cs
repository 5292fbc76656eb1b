using Tessera.Proxy.Http;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Listening;

/// <summary>What the first bytes of a client say about its protocol.</summary>
internal enum SniffedProtocol : byte
{
    /// <summary>Too few bytes to tell.</summary>
    Unclear,
    Http,
    Tcp,
}

/// <summary>
/// Tells HTTP/1.x from everything else by a client's first bytes. Wrong guesses are possible only
/// for text protocols that look like a request line. Stateless.
/// </summary>
internal static class ProtocolSniffer
{
    /// <summary>A first line longer than this is looked at no further.</summary>
    private const int MaxLineBytes = 4 * 1_024;

    public static SniffedProtocol Sniff(ReadOnlySpan<byte> received)
    {
        // Empty lines may precede a request (RFC 9112 section 2.2).
        ReadOnlySpan<byte> text = received.TrimStart("\r\n"u8);
        if (text.IsEmpty)
        {
            return SniffedProtocol.Unclear;
        }

        // A TLS ClientHello starts with 0x16, most binary protocols with something like it.
        if (text[0] < 0x20 || text[0] >= 0x7F)
        {
            return SniffedProtocol.Tcp;
        }

        int space = text.IndexOf((byte)' ');
        if (space >= 0 && HttpMethods.Parse(text[..space]) != HttpMethod.Other)
        {
            return SniffedProtocol.Http;
        }

        int end = text.IndexOf((byte)'\n');
        if (end < 0)
        {
            return text.Length < MaxLineBytes ? SniffedProtocol.Unclear : SniffedProtocol.Tcp;
        }

        return text[..end].IndexOf("HTTP/"u8) >= 0 ? SniffedProtocol.Http : SniffedProtocol.Tcp;
    }
}
