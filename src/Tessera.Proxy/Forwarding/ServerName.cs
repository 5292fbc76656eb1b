namespace Tessera.Proxy.Forwarding;

/// <summary>What the Server field says where nginx's rules hold (RFC 9110 section 10.2.4).
/// </summary>
internal static class ServerName
{
    public static ReadOnlySpan<byte> Text => "nginx"u8;
}
