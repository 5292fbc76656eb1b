using System.Globalization;
using System.Net;

namespace Tessera.Proxy.Nginx;

/// <summary>One address of a server, as a listen directive gives it.</summary>
/// <param name="IsDefault">The server serves hosts there that no name fits.</param>
/// <param name="HasOptions">It says more of the socket than its address.</param>
internal sealed record ListenAddress(
    NginxDirective Directive, IPEndPoint Address, bool IsDefault, bool HasOptions)
{
    /// <summary>Clients come through a proxy that says who they are.</summary>
    public bool HasProxyProtocol => Directive.Arguments.Contains("proxy_protocol");
}

/// <summary>The listen directive. Stateless.</summary>
internal static class ListenModule
{
    private const int DefaultPort = 80;

    /// <summary>Options of sockets that do not change what is served.</summary>
    private static readonly string[] SocketOptions =
    [
        "setfib=", "fastopen=", "backlog=", "rcvbuf=", "sndbuf=", "accept_filter=",
        "so_keepalive=", "ipv6only=",
    ];

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
            bool isDefault = false;
            bool hasOptions = false;
            foreach (string option in listen.Arguments.Skip(1))
            {
                isDefault |= option is "default_server" or "default";
                hasOptions |= ReadOption(listen, option);
            }

            foreach (IPEndPoint address in ReadAddresses(listen))
            {
                if (!known.Add(address))
                {
                    throw listen.Error($"a duplicate listen {address}");
                }

                yield return new ListenAddress(listen, address, isDefault, hasOptions);
            }
        }

        if (known.Count == 0)
        {
            int port = Environment.IsPrivilegedProcess ? DefaultPort : 8_000;
            yield return new ListenAddress(
                serverDirective, new IPEndPoint(IPAddress.Any, port), false, false);
        }
    }

    /// <summary>True for an option of the socket.</summary>
    private static bool ReadOption(NginxDirective listen, string option)
    {
        switch (option)
        {
            case "default_server" or "default" or "proxy_protocol" or "multipath":
                return false;
            case "bind" or "deferred" or "reuseport":
                return true;
            case "ssl" or "http2" or "quic" or "spdy":
                throw listen.Error($"the \"{option}\" parameter is not supported by Tessera");
            default:
                return Array.Exists(
                    SocketOptions, known => option.StartsWith(known, StringComparison.Ordinal))
                    ? true
                    : throw listen.Error($"invalid parameter \"{option}\"");
        }
    }

    private static IEnumerable<IPEndPoint> ReadAddresses(NginxDirective listen)
    {
        string text = listen.Value;
        if (text.StartsWith("unix:", StringComparison.Ordinal))
        {
            throw listen.Error(
                "listening on a unix socket is not supported by Tessera");
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
