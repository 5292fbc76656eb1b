using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// How clients are waited for: what ngx_http_core_module says of connections, heads and bodies.
/// Stateless.
/// </summary>
internal static class ClientModule
{
    /// <summary>What buffers for heads may add up to: a head is kept in one piece.</summary>
    private const long MaxHeadBytes = 192 * 1_024;

    private const NginxContext HttpServer = NginxContext.Http | NginxContext.Server;

    public static DirectiveRule[] Directives { get; } =
    [
        new("client_header_timeout", HttpServer) { Kind = ValueKind.Milliseconds },
        new("client_header_buffer_size", HttpServer) { Kind = ValueKind.Size },
        new("large_client_header_buffers", HttpServer, 2, 2)
        {
            Check = (buffers, _) => ReadLargeBuffers(buffers),
        },
        new("ignore_invalid_headers", HttpServer) { Kind = ValueKind.Flag },
        new("underscores_in_headers", HttpServer) { Kind = ValueKind.Flag },
        new("max_headers", HttpServer) { Kind = ValueKind.Number, HasNoEffect = true },
        new("connection_pool_size", HttpServer)
        {
            Kind = ValueKind.Size, HasNoEffect = true, Check = CheckPool,
        },
        new("request_pool_size", HttpServer)
        {
            Kind = ValueKind.Size, HasNoEffect = true, Check = CheckPool,
        },
        Time("client_body_timeout"), Size("client_body_buffer_size"),
        new("client_max_body_size", NginxContext.HttpServerLocation) { Kind = ValueKind.Size },
        new("client_body_in_file_only", NginxContext.HttpServerLocation)
        {
            Choices = ["on", "off", "clean"],
        },
        Flag("client_body_in_single_buffer") with { HasNoEffect = true },
        new("client_body_temp_path", NginxContext.HttpServerLocation, 1, 4)
        {
            Check = (path, _) => TemporaryPath.ReadLevels(path),
        },
        Time("send_timeout"), Size("send_lowat") with { HasNoEffect = true },
        Size("postpone_output") with { HasNoEffect = true },
        new("keepalive_timeout", NginxContext.HttpServerLocation, 1, 2)
        {
            Kind = ValueKind.Milliseconds,
        },
        Time("keepalive_time"),
        new("keepalive_requests", NginxContext.HttpServerLocation) { Kind = ValueKind.Number },
        new("keepalive_disable", NginxContext.HttpServerLocation, 1, 2)
        {
            Kind = ValueKind.Words, Choices = ["none", "msie6", "safari"],
        },
        Time("keepalive_min_timeout"),
        new("lingering_close", NginxContext.HttpServerLocation)
        {
            Choices = ["off", "on", "always"],
        },
        Time("lingering_time"), Time("lingering_timeout"),
        Flag("reset_timedout_connection"), Flag("chunked_transfer_encoding"),
        Flag("tcp_nodelay") with { HasNoEffect = true },
        Flag("tcp_nopush") with { HasNoEffect = true },
    ];

    public static RouteConfig Apply(
        NginxScope scope, RouteConfig route, HttpReading reading)
    {
        (int number, long size) = ReadLargeBuffers(scope);
        long small = scope.Size("client_header_buffer_size", 1_024);
        NginxDirective? idle = scope.Find("keepalive_timeout");
        ImmutableArray<string> dropped = ReadDropped(scope);
        return route with
        {
            Client = new ClientConfig
            {
                HeadTimeoutMs = NoTimeout(scope.Milliseconds("client_header_timeout", 60_000)),
                MaxHeadBytes = (int)Math.Min(
                    (number * Math.Min(size, MaxHeadBytes)) + Math.Min(small, MaxHeadBytes),
                    MaxHeadBytes),
                MaxFields = scope.Number("max_headers", 1_000),
                MaxLineBytes = (int)Math.Min(Math.Max(size, small), MaxHeadBytes),
                IgnoresInvalidNames = scope.Flag("ignore_invalid_headers", true),
                AllowsUnderscores = scope.Flag("underscores_in_headers", false),
                BodyTimeoutMs = NoTimeout(scope.Milliseconds("client_body_timeout", 60_000)),
                Body = ReadBody(scope, reading.Files),
                SendTimeoutMs = NoTimeout(scope.Milliseconds("send_timeout", 60_000)),
                IdleTimeoutMs = scope.Milliseconds("keepalive_timeout", 75_000),
                ToldIdleSeconds = idle is { Arguments: [_, var told] }
                    ? NginxValue.Milliseconds(idle, told) / 1_000
                    : 0,
                MinIdleMs = scope.Milliseconds("keepalive_min_timeout", 0),
                DropsOldMsie = dropped.Contains("msie6", StringComparer.OrdinalIgnoreCase),
                DropsSafari = dropped.Contains("safari", StringComparer.OrdinalIgnoreCase),
                MaxRequests = scope.Number("keepalive_requests", 1_000),
                MaxAgeMs = scope.Milliseconds("keepalive_time", 3_600_000),
                Lingers = scope.Text("lingering_close", "on") != "off",
                LingerMs = scope.Milliseconds("lingering_time", 30_000),
                LingerIdleMs = scope.Milliseconds("lingering_timeout", 5_000),
                ResetsSlow = scope.Flag("reset_timedout_connection", false),
                SendsChunks = scope.Flag("chunked_transfer_encoding", true),
            },
        };
    }

    /// <summary>Browsers that are not kept.</summary>
    private static ImmutableArray<string> ReadDropped(NginxScope scope)
    {
        return scope.Find("keepalive_disable")?.Arguments ?? ["msie6"];
    }

    private static BodyKeepingConfig ReadBody(NginxScope scope, NginxFiles files)
    {
        long bytes = scope.Size("client_body_buffer_size", 16 * 1_024);
        return bytes == 0
            ? throw scope.Find("client_body_buffer_size")!.Error(
                "client body buffer size cannot be zero")
            : new BodyKeepingConfig
            {
                MemoryBytes = bytes,
                Folder = TemporaryPath.Read(
                    scope, "client_body_temp_path", "client_body_temp", files),
                FileUse = scope.Text("client_body_in_file_only", "off") switch
                {
                    "on" => BodyFileUse.Leave,
                    "clean" => BodyFileUse.Always,
                    _ => BodyFileUse.WhenLarge,
                },
            };
    }

    /// <summary>0 would be over at once, with nginx as well; a millisecond is as good.</summary>
    private static int NoTimeout(int milliseconds) => Math.Max(1, milliseconds);

    /// <summary>
    /// What ngx_http_core_merge_srv_conf holds against each other: the error is at the http block's
    /// end.
    /// </summary>
    public static void CheckSizes(NginxScope server, HttpReading reading)
    {
        long pool = server.Size("connection_pool_size", 512);
        if (ReadLargeBuffers(server).Size < pool)
        {
            throw reading.End.Error(
                "the \"large_client_header_buffers\" size must be equal to or greater than "
                + "\"connection_pool_size\"");
        }
    }

    private static void CheckPool(NginxDirective pool, DirectiveCheck check)
    {
        const int MinBytes = 112;
        const int Alignment = 16;
        long bytes = NginxValue.Size(pool, pool.Value);
        if (bytes < MinBytes)
        {
            throw pool.Error($"the pool size must be no less than {MinBytes}");
        }

        if (bytes % Alignment != 0)
        {
            throw pool.Error($"the pool size must be a multiple of {Alignment}");
        }
    }

    private static (int Number, long Size) ReadLargeBuffers(NginxScope scope) =>
        scope.Find("large_client_header_buffers") is { } buffers
            ? ReadLargeBuffers(buffers)
            : (4, 8 * 1_024);

    private static (int Number, long Size) ReadLargeBuffers(NginxDirective buffers)
    {
        if (!int.TryParse(buffers.Value, out int number) || number <= 0
            || !NginxValue.TrySize(buffers.Arguments[1], out long size) || size == 0)
        {
            throw buffers.Error("\"large_client_header_buffers\" directive invalid value");
        }

        return (number, size);
    }

    private static DirectiveRule Flag(string name) =>
        new(name, NginxContext.HttpServerLocation) { Kind = ValueKind.Flag };

    private static DirectiveRule Size(string name) =>
        new(name, NginxContext.HttpServerLocation) { Kind = ValueKind.Size };

    private static DirectiveRule Time(string name) =>
        new(name, NginxContext.HttpServerLocation) { Kind = ValueKind.Milliseconds };
}
