namespace Tessera.Proxy.Nginx;

/// <summary>proxy_pass and how its requests are made. Stateless.</summary>
internal static class ProxyModule
{
    public static DirectiveRule[] Directives { get; } =
    [
        new("proxy_pass", NginxContext.Location | NginxContext.LocationIf
            | NginxContext.LimitExcept),
        new("proxy_set_header", NginxContext.HttpServerLocation, 2, 2) { MayRepeat = true },
        new("proxy_connect_timeout", NginxContext.HttpServerLocation)
        {
            Kind = ValueKind.Milliseconds,
        },
        new("proxy_read_timeout", NginxContext.HttpServerLocation)
        {
            Kind = ValueKind.Milliseconds,
        },
        new("proxy_send_timeout", NginxContext.HttpServerLocation)
        {
            Kind = ValueKind.Milliseconds,
        },
        new("proxy_http_version", NginxContext.HttpServerLocation) { Choices = ["1.0", "1.1"] },
    ];

    /// <summary>Null where requests are not passed on.</summary>
    public static RouteConfig? TryRead(
        NginxScope scope, RouteConfig route, UpstreamModule upstreams) =>
        scope.FindInLocation("proxy_pass") is not { } pass
            ? null
            : route with
            {
                Backend = upstreams.BackendOf(pass),
                Limits = new BackendLimits
                {
                    ConnectTimeoutMs = scope.Milliseconds("proxy_connect_timeout", 60_000),
                    ReadTimeoutMs = scope.Milliseconds("proxy_read_timeout", 60_000),
                    SendTimeoutMs = scope.Milliseconds("proxy_send_timeout", 60_000),
                },
                RequestHeaders =
                [
                    .. scope.All("proxy_set_header").Select(field =>
                        new FieldConfig(field.Value, field.Arguments[1])),
                ],
            };
}
