namespace Tessera.Proxy.Nginx;

/// <summary>Logs and their formats. Stateless.</summary>
internal static class LogModule
{
    public static DirectiveRule[] Directives { get; } =
    [
        new("error_log", NginxContext.Main | NginxContext.HttpServerLocation, 1, 2)
        {
            MayRepeat = true,
        },
        new("access_log", NginxContext.HttpServerLocationIf | NginxContext.LimitExcept, 1, -1)
        {
            MayRepeat = true,
        },
        new("log_format", NginxContext.Http, 2, -1) { MayRepeat = true },
    ];

    /// <summary>Null where nothing is logged.</summary>
    public static AccessLogConfig? ReadAccessLog(NginxScope scope, NginxFiles files)
    {
        string path = scope.Text("access_log", "logs/access.log");
        return path == "off" ? null : new AccessLogConfig { Path = files.Resolve(path) };
    }
}
