using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Tessera.Linux.Net;

namespace Tessera.Proxy.Nginx;

/// <summary>Reads "syslog:server=…,facility=…" of error_log and access_log. Stateless.</summary>
internal static class SyslogParameters
{
    public const string Prefix = "syslog:";

    private const int DefaultPort = 514;
    private const int MaxTagLength = 32;
    private const int DefaultFacility = 23;
    private const int DefaultSeverity = 6;

    private static readonly string[] Facilities =
    [
        "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock",
        "authpriv", "ftp", "ntp", "audit", "alert", "cron", "local0", "local1", "local2", "local3",
        "local4", "local5", "local6", "local7",
    ];

    private static readonly string[] Severities =
        ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];

    /// <param name="text">With its prefix.</param>
    public static SyslogConfig Read(NginxDirective directive, string text)
    {
        EndPoint? server = null;
        int facility = DefaultFacility;
        int severity = DefaultSeverity;
        string tag = "nginx";
        bool hasHostname = true;
        foreach (string parameter in text[Prefix.Length..].Split(','))
        {
            string[] pair = parameter.Split('=', 2);
            switch (pair)
            {
                case ["server", var address]:
                    server = server is null
                        ? ReadServer(directive, address)
                        : throw directive.Error("duplicate syslog \"server\"");
                    break;
                case ["facility", var name]:
                    facility = IndexOf(directive, Facilities, name, "facility");
                    break;
                case ["severity", var name]:
                    severity = IndexOf(directive, Severities, name, "severity");
                    break;
                case ["tag", var name]:
                    tag = CheckTag(directive, name);
                    break;
                case ["nohostname"]:
                    hasHostname = false;
                    break;
                default:
                    throw directive.Error($"unknown syslog parameter \"{parameter}\"");
            }
        }

        return server is null
            ? throw directive.Error("no syslog server specified")
            : new SyslogConfig(server, (facility * 8) + severity, tag, hasHostname);
    }

    private static int IndexOf(
        NginxDirective directive, string[] names, string name, string what)
    {
        int index = Array.IndexOf(names, name);
        return index >= 0
            ? index
            : throw directive.Error($"unknown syslog {what} \"{name}\"");
    }

    private static string CheckTag(NginxDirective directive, string tag) =>
        tag.Length > MaxTagLength ? throw directive.Error("syslog tag length exceeds 32")
        : !tag.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_')
            ? throw directive.Error(
                "syslog \"tag\" only allows alphanumeric characters and underscore")
        : tag;

    private static EndPoint ReadServer(NginxDirective directive, string text)
    {
        const string Unix = "unix:";
        if (text.StartsWith(Unix, StringComparison.Ordinal))
        {
            string path = text[Unix.Length..];
            string? fault = path.Length == 0 ? "no path in the unix domain socket"
                : Encoding.UTF8.GetByteCount(path) > SocketCalls.MaxUnixPath
                    ? "too long path in the unix domain socket"
                : null;
            return fault is null
                ? new UnixDomainSocketEndPoint(path)
                : throw directive.Error($"{fault} in syslog server \"{text}\"");
        }

        if (IPEndPoint.TryParse(text, out IPEndPoint? address))
        {
            return new IPEndPoint(
                address.Address, address.Port == 0 ? DefaultPort : address.Port);
        }

        if (text.Length == 0)
        {
            throw directive.Error("no host in syslog server \"\"");
        }

        int colon = text.LastIndexOf(':');
        string host = colon < 0 ? text : text[..colon];
        int port = DefaultPort;
        if (colon >= 0 && !int.TryParse(
            text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out port))
        {
            throw directive.Error($"invalid port in syslog server \"{text}\"");
        }

        try
        {
            return new IPEndPoint(Dns.GetHostAddresses(host)[0], port);
        }
        catch (SocketException)
        {
            throw directive.Error($"host not found in syslog server \"{text}\"");
        }
    }
}
