using System.Globalization;
using System.Net;

namespace Tessera.Proxy.Nginx;

/// <summary>One address of a server, as a listen directive gives it.</summary>
/// <param name="IsDefault">The server serves hosts there that no name fits.</param>
/// <param name="Sockets">Null when it says no more of the socket than its address.</param>
internal sealed record ListenAddress(
    NginxDirective Directive, IPEndPoint Address, bool IsDefault, ListenConfig? Sockets)
{
    /// <summary>Clients come through a proxy that says who they are.</summary>
    public bool HasProxyProtocol => Directive.Arguments.Contains("proxy_protocol");
}

/// <summary>The listen directive. Stateless.</summary>
internal static class ListenModule
{
    private const int DefaultPort = 80;

    public static DirectiveRule[] Directives { get; } =
    [
        new("listen", NginxContext.Server, 1, -1) { MayRepeat = true },
    ];

    /// <summary>Without any, a server listens on port 80, or 8000 without rights.</summary>
    public static IEnumerable<ListenAddress> ReadAll(
        NginxScope server, NginxDirective serverDirective)
    {
        var known = new HashSet<IPEndPoint>();
        foreach (NginxDirective listen in server.AllHere("listen"))
        {
            IPEndPoint[] addresses = [.. ReadAddresses(listen)];
            bool isDefault = false;
            ListenConfig? sockets = null;
            foreach (string option in listen.Arguments.Skip(1))
            {
                isDefault |= option is "default_server" or "default";
                sockets = ReadOption(listen, option, sockets);
            }

            foreach (IPEndPoint address in addresses)
            {
                if (!known.Add(address))
                {
                    throw listen.Error($"a duplicate listen {address}");
                }

                yield return new ListenAddress(listen, address, isDefault, sockets);
            }
        }

        if (known.Count == 0)
        {
            int port = Environment.IsPrivilegedProcess ? DefaultPort : 8_000;
            yield return new ListenAddress(
                serverDirective, new IPEndPoint(IPAddress.Any, port), false, null);
        }
    }

    private static ListenConfig? ReadOption(
        NginxDirective listen, string option, ListenConfig? sockets)
    {
        switch (option)
        {
            case "default_server" or "default" or "proxy_protocol" or "multipath":
                return sockets;
            case "ssl" or "http2" or "quic" or "spdy":
                throw listen.Error($"the \"{option}\" parameter is not supported by Tessera");
            default:
                return SocketParameters.TryRead(
                    listen, option, sockets ?? ListenConfig.Default)
                    ?? throw listen.Error($"invalid parameter \"{option}\"");
        }
    }

    private static IEnumerable<IPEndPoint> ReadAddresses(NginxDirective listen)
    {
        string text = listen.Value;
        if (SocketParameters.TryReadPath(listen) is { } path)
        {
            return [path];
        }

        if (text.StartsWith('[') && !text.Contains(']'))
        {
            throw listen.Error($"invalid host in \"{text}\" of the \"listen\" directive");
        }

        int colon = text.LastIndexOf(':');
        bool isPortOnly = text.All(c => char.IsAsciiDigit(c) || c == '-') && text.Length > 0;
        bool hasPort = isPortOnly || (colon >= 0 && !text.EndsWith(']'));
        string host = isPortOnly ? "*" : hasPort ? text[..colon] : text;
        string ports = isPortOnly ? text : hasPort ? text[(colon + 1)..] : "";
        int first = DefaultPort;
        int last = DefaultPort;
        if (hasPort)
        {
            int dash = ports.IndexOf('-', StringComparison.Ordinal);
            first = ReadPort(listen, dash < 0 ? ports : ports[..dash]);
            last = dash < 0 ? first : ReadPort(listen, ports[(dash + 1)..]);
            if (last < first)
            {
                throw listen.Error(
                    $"invalid port range in \"{text}\" of the \"listen\" directive");
            }
        }

        IPAddress address = ReadHost(listen, host);
        return Enumerable.Range(first, last - first + 1)
            .Select(port => new IPEndPoint(address, port));
    }

    private static IPAddress ReadHost(NginxDirective listen, string host) => host switch
    {
        "*" => IPAddress.Any,
        "localhost" => IPAddress.Loopback,
        "" => throw listen.Error(
            $"no host in \"{listen.Value}\" of the \"listen\" directive"),
        _ when IPAddress.TryParse(host, out IPAddress? address) => address,
        ['[', ..] => throw listen.Error(
            $"invalid IPv6 address in \"{listen.Value}\" of the \"listen\" directive"),
        _ => throw listen.Error(
            $"host not found in \"{listen.Value}\" of the \"listen\" directive"),
    };

    private static int ReadPort(NginxDirective listen, string text) =>
        ushort.TryParse(
            text, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) && port > 0
            ? port
            : throw listen.Error(
                $"invalid port in \"{listen.Value}\" of the \"listen\" directive");
}
