using System.Net;

namespace Tessera.Proxy.Nginx;

/// <summary>Connections that are passed on: ngx_stream_proxy_module. Stateless.</summary>
internal static class StreamProxyModule
{
    private const NginxContext Any = NginxContext.Stream | NginxContext.StreamServer;

    public static DirectiveRule[] Directives { get; } =
    [
        new("proxy_pass", NginxContext.StreamServer),
        new("proxy_bind", Any, 1, 2),
        new("proxy_buffer_size", Any) { Kind = ValueKind.Size },
        new("proxy_downstream_buffer", Any) { Kind = ValueKind.Size, HasNoEffect = true },
        new("proxy_upstream_buffer", Any) { Kind = ValueKind.Size, HasNoEffect = true },
        new("proxy_connect_timeout", Any) { Kind = ValueKind.Milliseconds },
        new("proxy_timeout", Any) { Kind = ValueKind.Milliseconds },
        new("proxy_upload_rate", Any),
        new("proxy_download_rate", Any),
        new("proxy_half_close", Any) { Kind = ValueKind.Flag },
        new("proxy_next_upstream", Any) { Kind = ValueKind.Flag },
        new("proxy_next_upstream_tries", Any) { Kind = ValueKind.Number },
        new("proxy_next_upstream_timeout", Any) { Kind = ValueKind.Milliseconds },
        new("proxy_protocol", Any) { Kind = ValueKind.Flag },
        new("proxy_socket_keepalive", Any) { Kind = ValueKind.Flag },
        new("proxy_requests", Any) { Kind = ValueKind.Number },
        new("proxy_responses", Any) { Kind = ValueKind.Number },
    ];

    /// <summary>Null where connections are not passed on.</summary>
    public static RouteConfig? TryRead(
        NginxScope server, RouteConfig route, StreamUpstreams upstreams)
    {
        if (server.FindHere("proxy_pass") is not { } pass)
        {
            return null;
        }

        bool hasVariables = pass.Value.Contains('$');
        return route with
        {
            Backend = hasVariables ? null : upstreams.BackendOf(pass),
            Limits = new BackendLimits
            {
                ConnectTimeoutMs = Math.Max(
                    1, server.Milliseconds("proxy_connect_timeout", 60_000)),
            },
            Retry = new RetryConfig
            {
                On = server.Flag("proxy_next_upstream", true)
                    ? RetryConditions.Error | RetryConditions.Timeout
                    : RetryConditions.None,
                Tries = server.Number("proxy_next_upstream_tries", 0),
                TimeoutMs = server.Milliseconds("proxy_next_upstream_timeout", 0),
                BudgetPercent = 1_000,
            },
            Stream = route.Stream! with
            {
                Pass = hasVariables ? pass.Value : null,
                Choices = hasVariables ? upstreams.Choices : [],
                Resolver = hasVariables ? ResolverSetting.Read(server) : null,
                LocalAddress = ReadLocalAddress(server, out bool isTransparent),
                IsTransparent = isTransparent,
                ProbesIdleSockets = server.Flag("proxy_socket_keepalive", false),
                SendsProxyProtocol = server.Flag("proxy_protocol", false),
                UploadRate = ReadRate(server, "proxy_upload_rate"),
                DownloadRate = ReadRate(server, "proxy_download_rate"),
                HalfCloses = server.Flag("proxy_half_close", false),
                BufferBytes = (int)Math.Clamp(
                    server.Size("proxy_buffer_size", 16_384), 1, int.MaxValue),
                IdleTimeoutMs = server.Milliseconds("proxy_timeout", 600_000),
                DatagramRequests = server.Number("proxy_requests", 0),
                DatagramResponses = server.Find("proxy_responses") is { } responses
                    ? NginxValue.Number(responses, responses.Value)
                    : null,
            },
        };
    }

    /// <summary>Null lets the kernel choose.</summary>
    private static string? ReadLocalAddress(NginxScope server, out bool isTransparent)
    {
        isTransparent = false;
        if (server.Find("proxy_bind") is not { } bind || bind.Arguments is ["off"])
        {
            return null;
        }

        if (bind.Arguments is [_, var option])
        {
            isTransparent = option == "transparent"
                ? true
                : throw bind.Error($"invalid parameter \"{option}\"");
        }

        return bind.Value.Contains('$') || IPEndPoint.TryParse(bind.Value, out _)
            ? bind.Value
            : throw bind.Error($"invalid address \"{bind.Value}\"");
    }

    private static string? ReadRate(NginxScope server, string name)
    {
        if (server.Find(name) is not { } rate)
        {
            return null;
        }

        return rate.Value.Contains('$') || NginxValue.TrySize(rate.Value, out _)
            ? rate.Value
            : throw rate.Error($"\"{name}\" directive invalid value");
    }
}
