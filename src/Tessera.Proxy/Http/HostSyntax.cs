namespace Tessera.Proxy.Http;

/// <summary>uri-host [ ":" port ] as Host and absolute request targets carry it.</summary>
internal static class HostSyntax
{
    /// <summary>
    /// False for an empty host too: an http URI without one is invalid (RFC 9110 section 4.2.1).
    /// </summary>
    public static bool IsValid(ReadOnlySpan<byte> host)
    {
        if (host.IsEmpty)
        {
            return false;
        }

        int end = host[0] == '[' ? LiteralEnd(host) : host.IndexOf((byte)':');
        if (end < 0)
        {
            return host[0] != '[' && !host.ContainsAnyExcept(ByteScan.HostName);
        }

        return end > 0
            && (host[0] == '[' || !host[..end].ContainsAnyExcept(ByteScan.HostName))
            && IsPort(host[end..]);
    }

    /// <summary>
    /// What nginx takes for a host (ngx_http_validate_host): no slash, no blank, no control, no two
    /// dots in a row, and something in front of the port.
    /// </summary>
    public static bool IsTolerable(ReadOnlySpan<byte> host) =>
        host.IndexOf(".."u8) < 0
        && host.IndexOf((byte)'/') < 0
        && !host.ContainsAnyInRange((byte)0, (byte)' ')
        && !host.Contains((byte)0x7F)
        && !NameOf(host).IsEmpty;

    /// <summary>Without port and without the root's dot; a literal keeps its brackets.</summary>
    public static ReadOnlySpan<byte> NameOf(ReadOnlySpan<byte> host)
    {
        bool isLiteral = host.StartsWith("["u8) && host.Contains((byte)']');
        int end = isLiteral ? host.IndexOf((byte)']') + 1 : host.IndexOf((byte)':');
        host = end < 0 ? host : host[..end];
        return host.EndsWith("."u8) ? host[..^1] : host;
    }

    /// <summary>Index after the closing bracket, or -1.</summary>
    private static int LiteralEnd(ReadOnlySpan<byte> host)
    {
        int close = host.IndexOf((byte)']');
        return close > 1 && !host[1..close].ContainsAnyExcept(ByteScan.IPv6) ? close + 1 : -1;
    }

    /// <summary>
    /// Nothing, or a colon and up to five digits; RFC 3986 lets the port be empty.
    /// </summary>
    private static bool IsPort(ReadOnlySpan<byte> text) =>
        text.IsEmpty
        || (text[0] == ':'
            && text.Length <= 6
            && !text[1..].ContainsAnyExceptInRange((byte)'0', (byte)'9'));
}
