namespace Tessera.Proxy.Nginx;

/// <summary>What concerns the process as a whole: main and events. Stateless.</summary>
internal static class CoreModule
{
    public static DirectiveRule[] Directives { get; } =
    [
        new("daemon", NginxContext.Main) { Kind = ValueKind.Flag },
        new("master_process", NginxContext.Main) { Kind = ValueKind.Flag },
        new("pid", NginxContext.Main),
        new("user", NginxContext.Main, 1, 2),
        new("worker_processes", NginxContext.Main),
        new("worker_rlimit_nofile", NginxContext.Main) { Kind = ValueKind.Number },
        new("events", NginxContext.Main, 0, 0) { Block = NginxContext.Events },
        new("worker_connections", NginxContext.Events) { Kind = ValueKind.Number },
        new("use", NginxContext.Events),
        new("multi_accept", NginxContext.Events) { Kind = ValueKind.Flag },
        new("accept_mutex", NginxContext.Events) { Kind = ValueKind.Flag },
    ];

    public static ProxyOptions ReadOptions(NginxScope main)
    {
        string workers = main.Text("worker_processes", "1");
        NginxScope events = main.Within(main.FindHere("events")!, NginxContext.Events);
        int reactors = workers == "auto" ? Environment.ProcessorCount
            : NginxValue.Number(main.Find("worker_processes") ?? main.Directives[0], workers);
        return new ProxyOptions
        {
            MinBodyBytesPerSecond = 0,
            MinSendBytesPerSecond = 0,
            Reactors = Math.Clamp(reactors, 1, 256),
            MaxConnections = reactors * events.Number("worker_connections", 512),
        };
    }

    public static NginxProcess ReadProcess(NginxScope main, NginxFiles files) => new()
    {
        PidFile = files.Resolve(main.Text("pid", "logs/nginx.pid")),
        IsDaemon = main.Flag("daemon", true),
        ErrorLog = main.Text("error_log", "logs/error.log") is "stderr"
            ? "stderr"
            : files.Resolve(main.Text("error_log", "logs/error.log")),
    };
}
