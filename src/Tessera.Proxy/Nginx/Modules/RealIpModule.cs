namespace Tessera.Proxy.Nginx;

/// <summary>ngx_http_realip_module: who speaks through a proxy in front. Stateless.</summary>
internal static class RealIpModule
{
    public static DirectiveRule[] Directives { get; } =
    [
        new("set_real_ip_from", NginxContext.HttpServerLocation)
        {
            MayRepeat = true, Check = NetworkText.CheckTrusted,
        },
        new("real_ip_header", NginxContext.HttpServerLocation),
        new("real_ip_recursive", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
    ];

    public static RouteConfig Apply(NginxScope scope, RouteConfig route, HttpReading reading)
    {
        NginxDirective[] trusted = [.. scope.All("set_real_ip_from")];
        string field = scope.Text("real_ip_header", "X-Real-IP");
        return trusted.Length == 0 ? route : route with
        {
            Location = route.Location! with
            {
                RealIp = new RealIpConfig(
                    [
                        .. trusted.Select(from => from.Value == "unix:"
                            ? new AddressRule(true, null) { IsUnix = true }
                            : new AddressRule(true, NetworkText.Read(from, from.Value))),
                    ],
                    field.ToLowerInvariant().Replace('-', '_'),
                    scope.Flag("real_ip_recursive", false))
                {
                    IsFromProxyProtocol = field == "proxy_protocol",
                },
            },
        };
    }
}
