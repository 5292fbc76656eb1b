using System.Globalization;
using System.Text;
using Tessera.Linux.Net;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// What listen says of sockets, alike in http and stream: ngx_http_core_listen. Stateless.
/// </summary>
internal static class SocketParameters
{
    /// <summary>Of other systems than Linux.</summary>
    private static readonly string[] Foreign = ["accept_filter"];

    /// <summary>Null for a parameter that is none of them.</summary>
    /// <exception cref="NginxConfigException">Its value is none.</exception>
    public static ListenConfig? TryRead(
        NginxDirective listen, string parameter, ListenConfig config)
    {
        string[] pair = parameter.Split('=', 2);
        if (pair is [var name, var value])
        {
            return name switch
            {
                "backlog" => config with { Backlog = Count(listen, parameter, name, value) },
                "rcvbuf" => config with { ReceiveBytes = Size(listen, parameter, name, value) },
                "sndbuf" => config with { SendBytes = Size(listen, parameter, name, value) },
                "fastopen" => config with
                {
                    FastOpenQueue = Count(listen, parameter, name, value),
                },
                "ipv6only" => config with
                {
                    IsIPv6Only = value switch
                    {
                        "on" => true,
                        "off" => false,
                        _ => throw listen.Error($"invalid ipv6only flags \"{value}\""),
                    },
                },
                "so_keepalive" => config with { Probes = ReadProbes(listen, value) },
                _ => Array.IndexOf(Foreign, name) >= 0 ? config : null,
            };
        }

        return parameter switch
        {
            "bind" or "reuseport" => config,
            "deferred" => config with { IsDeferred = true },
            _ => null,
        };
    }

    /// <summary>The socket of "unix:PATH"; null for another address.</summary>
    /// <exception cref="NginxConfigException">The path is too long, or there is none.</exception>
    public static PathEndPoint? TryReadPath(NginxDirective listen)
    {
        const string Unix = "unix:";
        if (!listen.Value.StartsWith(Unix, StringComparison.Ordinal))
        {
            return null;
        }

        string path = listen.Value[Unix.Length..];
        string? fault = path.Length == 0 ? "no path in the unix domain socket"
            : Encoding.UTF8.GetByteCount(path) > SocketCalls.MaxUnixPath
                ? "too long path in the unix domain socket"
            : null;
        return fault is null
            ? new PathEndPoint(path)
            : throw listen.Error($"{fault} in \"{listen.Value}\" of the \"listen\" directive");
    }

    private static int Count(
        NginxDirective listen, string parameter, string name, string value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            && (count > 0 || name == "fastopen")
            ? count
            : throw listen.Error($"invalid {name} \"{parameter}\"");

    private static int Size(NginxDirective listen, string parameter, string name, string value) =>
        NginxValue.TrySize(value, out long bytes)
            ? (int)Math.Min(bytes, int.MaxValue)
            : throw listen.Error($"invalid {name} \"{parameter}\"");

    /// <summary>on, off, or [keepidle]:[keepintvl]:[keepcnt].</summary>
    private static KeepAliveProbes ReadProbes(NginxDirective listen, string value)
    {
        if (value is "on" or "off")
        {
            return new KeepAliveProbes(value == "on");
        }

        string[] parts = value.Split(':');
        int idleMs = 0;
        int intervalMs = 0;
        int count = 0;
        bool isRight = parts.Length <= 3
            && (Part(0).Length == 0 || NginxValue.TryMilliseconds(Part(0), out idleMs))
            && (Part(1).Length == 0 || NginxValue.TryMilliseconds(Part(1), out intervalMs))
            && (Part(2).Length == 0 || int.TryParse(
                Part(2), NumberStyles.None, CultureInfo.InvariantCulture, out count));
        return isRight && (idleMs > 0 || intervalMs > 0 || count > 0)
            ? new KeepAliveProbes(true, idleMs / 1_000, intervalMs / 1_000, count)
            : throw listen.Error($"invalid so_keepalive value: \"{value}\"");

        string Part(int number) => parts.ElementAtOrDefault(number) ?? "";
    }
}
