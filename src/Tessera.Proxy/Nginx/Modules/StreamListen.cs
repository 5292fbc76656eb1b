using System.Globalization;
using System.Net;

namespace Tessera.Proxy.Nginx;

/// <summary>One address that a listen of a stream server names.</summary>
/// <param name="Directive">Where it stands.</param>
internal sealed record StreamListen(
    NginxDirective Directive, IPEndPoint Address, ListenConfig Sockets)
{
    /// <summary>Clients come through a proxy that says who they are.</summary>
    public bool HasProxyProtocol => Directive.Arguments.Contains("proxy_protocol");

    /// <summary>Datagrams instead of connections.</summary>
    public bool IsDatagram => Directive.Arguments.Contains("udp");

    /// <summary>A listen names one address, or as many as its range has ports.</summary>
    /// <exception cref="NginxConfigException">It is no address, or a parameter is none.</exception>
    public static IEnumerable<StreamListen> Read(NginxDirective listen)
    {
        ListenConfig sockets = listen.Arguments.Skip(1).Aggregate(
            ListenConfig.Default,
            (config, parameter) => ReadParameter(listen, parameter, config));
        if (SocketParameters.TryReadPath(listen) is { } path)
        {
            return !listen.Arguments.Contains("udp")
                ? [new StreamListen(listen, path, sockets)]
                : throw listen.Error("datagrams over unix sockets are not supported by Tessera");
        }

        if (listen.Arguments.Contains("udp")
            && listen.Arguments.FirstOrDefault(IsForConnections) is { } other)
        {
            throw listen.Error(
                $"\"{other.Split('=')[0]}\" parameter is incompatible with \"udp\"");
        }

        string text = listen.Value;
        int colon = text.LastIndexOf(':');
        string host = colon < 0 || text.EndsWith(']') ? "" : text[..colon];
        string ports = colon < 0 || text.EndsWith(']') ? text : text[(colon + 1)..];
        IPAddress address = host is "" or "*" ? IPAddress.Any
            : IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? literal) ? literal
            : host == "localhost" ? IPAddress.Loopback
            : throw Fault(listen, "host not found in");
        if (host.Length == 0 && !char.IsAsciiDigit(text[0]))
        {
            throw Fault(listen, "no port in");
        }

        string[] ends = ports.Split('-', 2);
        if (host.Length == 0 && IPAddress.TryParse(text, out _) && text.Contains('.'))
        {
            throw Fault(listen, "no port in");
        }

        int first = ReadPort(listen, ends[0]);
        int last = ends.Length > 1 ? ReadPort(listen, ends[1]) : first;
        if (last < first)
        {
            throw Fault(listen, "invalid port range in");
        }

        return Enumerable.Range(first, last - first + 1)
            .Select(port => new StreamListen(listen, new IPEndPoint(address, port), sockets));
    }

    private static int ReadPort(NginxDirective listen, string text) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port)
            && port > 0
            ? port
            : throw Fault(listen, "invalid port in");

    private static NginxConfigException Fault(NginxDirective listen, string what) =>
        listen.Error($"{what} \"{listen.Value}\" of the \"listen\" directive");

    private static bool IsForConnections(string parameter) => parameter.Split('=')[0]
        is "backlog" or "so_keepalive" or "proxy_protocol" or "ssl" or "fastopen";

    private static ListenConfig ReadParameter(
        NginxDirective listen, string parameter, ListenConfig sockets) => parameter switch
        {
            "proxy_protocol" or "default_server" or "udp" => sockets,
            "ssl" => throw listen.Error(
                "the \"ssl\" parameter requires ngx_stream_ssl_module"),
            _ => SocketParameters.TryRead(listen, parameter, sockets)
                ?? throw listen.Error($"the invalid \"{parameter}\" parameter"),
        };
}
