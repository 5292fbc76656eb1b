using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Nginx;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

public sealed class AllocationTests
{
    /// <summary>The clock's texts, made once a second.</summary>
    private const int AllowedBytes = 4_096;

    private const int LogBufferBytes = 448 * 1_024;

    private const string Get =
        "GET / HTTP/1.1\r\nHost: test\r\nUser-Agent: t\r\nAccept: */*\r\n\r\n";

    /// <summary>Something of every kind of variable, and what has to be escaped.</summary>
    private const string EveryKind =
        "$remote_addr:$remote_port $server_addr $remote_user [$time_local] $time_iso8601 $msec "
        + "\"$request\" $status $bytes_sent $request_length $request_id $request_time $pipe "
        + "$connection $connection_requests $host $uri $arg_a $cookie_b \"$http_user_agent\" "
        + "$upstream_addr $upstream_status $upstream_header_time $upstream_bytes_received "
        + "$upstream_http_content_length $sent_http_content_length $route $backend $instance "
        + "$binary_remote_addr $tcpinfo_rtt";

    [Theory]
    [InlineData(Get, AccessLogConfig.CombinedFormat, false)]
    [InlineData(
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi",
        AccessLogConfig.CombinedFormat,
        false)]
    [InlineData(Get, AccessLogConfig.JsonFormat, false)]
    [InlineData(Get, EveryKind, false)]
    [InlineData(Get, AccessLogConfig.CombinedFormat, true)]
    public async Task Proxies_a_keep_alive_request_without_allocating(
        string request, string format, bool isTraced)
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        string log = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            new ProxyOptions
            {
                Reactors = 1,
                Traces = isTraced ? new TraceQueue(sampleRatio: 0, capacity: 1) : null,
            },
            listener: l => l with
            {
                AccessLog = new AccessLogConfig { Path = log, Format = format },
            });
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(proxy.Address, TestContext.Current.CancellationToken);
        await ShouldNotAllocateAsync(proxy, client.Client, request);
        await proxy.DisposeAsync();
        File.Delete(log);
    }

    /// <summary>
    /// A hundred thousand, several at a time on several connections. An object for every fifth of
    /// them would be seen; the log's buffers are used again, but when its writer has to wait for
    /// the processor there are some more of them.
    /// </summary>
    [Fact]
    public async Task Proxies_a_hundred_thousand_requests_without_allocating()
    {
        const int Connections = 8;
        const int Batch = 16;
        using CannedServer server = CannedServer.Start("HTTP/1.1 200 OK\r\n"
            + "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\none");
        string log = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            new ProxyOptions { Reactors = 1 },
            listener: l => l with { AccessLog = new AccessLogConfig { Path = log } });
        const string Post =
            "POST /save HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi";
        var load = new PipelinedLoad(
            proxy.Address,
            string.Concat(Enumerable.Repeat(Get + Post, Batch / 2)),
            answers: Batch,
            mark: "\r\n\r\none");
        await load.RunAsync(Connections, batches: 50);
        long before = await AllocatedAsync(proxy);
        var clock = Stopwatch.StartNew();
        await load.RunAsync(Connections, batches: 100_000 / Batch / Connections + 1);
        long allocated = await AllocatedAsync(proxy) - before;

        // A log whose writer gets no processor takes further buffers; three of them are 16 bytes a
        // request, less than the smallest object.
        allocated.ShouldBeLessThan(
            (3 * LogBufferBytes) + (AllowedBytes * (2 + (long)clock.Elapsed.TotalSeconds)));
        proxy.Status("web-1").Requests.ShouldBeGreaterThan(100_000);
        await proxy.DisposeAsync();
        File.Delete(log);
    }

    [Fact]
    public async Task Refuses_a_flood_without_allocating_for_each_request()
    {
        using CannedServer server = CannedServer.Start("");
        int lines = 0;
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            new ProxyOptions { Reactors = 1, ErrorLog = _ => Interlocked.Increment(ref lines) },
            listener: l => l with
            {
                Routes =
                [
                    new RouteConfig
                    {
                        Backend = "web",
                        Access = new AccessConfig
                        {
                            Addresses = [new AddressRule(IsAllowed: false, Network: null)],
                        },
                    },
                ],
            });
        var load = new PipelinedLoad(
            proxy.Address, string.Concat(Enumerable.Repeat(Get, 10)), 10, "HTTP/1.1 403 ");
        await load.RunAsync(connections: 4, batches: 50);
        long before = await AllocatedAsync(proxy);
        var clock = Stopwatch.StartNew();
        await load.RunAsync(connections: 4, batches: 500);
        long allocated = await AllocatedAsync(proxy) - before;

        // Some lines each second, whose text is not free; of 20,000 requests.
        lines.ShouldBeGreaterThan(0);
        allocated.ShouldBeLessThan(11 * AllowedBytes * (2 + (long)clock.Elapsed.TotalSeconds));
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: test\r\n\r\n", 0)]
    [InlineData("PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 6000\r\n\r\n", 6_000)]
    public async Task Proxies_without_allocating_when_health_is_watched_and_bodies_are_kept(
        string head, int bodyBytes)
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            new ProxyOptions { Reactors = 1 },
            b => b with
            {
                Outlier = new OutlierConfig { FailurePercent = 50 },
                Retry = new RetryConfig { On = RetryConditions.Http503, BufferBytes = 10_000 },
            });
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(proxy.Address, TestContext.Current.CancellationToken);
        string request = head + new string('x', bodyBytes);
        await ShouldNotAllocateAsync(proxy, client.Client, request);
    }

    [Fact]
    public async Task Holds_a_request_against_limits_without_allocating()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        var flow = new FlowConfig
        {
            RateLimits =
            [
                new RateLimitConfig
                {
                    Zone = "clients",
                    Key = "$remote_addr$http_user_agent",
                    RequestsPerSecond = 100_000,
                    Burst = 10_000,
                    BurstWithoutDelay = int.MaxValue,
                },
            ],
            ConnectionLimits = [new ConnectionLimitConfig { Zone = "clients", Max = 4 }],
            MaxBodyBytes = 1_000,
        };
        var access = new AccessConfig
        {
            Addresses = [new AddressRule(true, System.Net.IPNetwork.Parse("127.0.0.0/8"))],
        };
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            new ProxyOptions { Reactors = 1 },
            listener: l => l with
            {
                Routes = [new RouteConfig { Backend = "web", Flow = flow, Access = access }],
            });
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(proxy.Address, TestContext.Current.CancellationToken);
        const string Request = "GET / HTTP/1.1\r\nHost: test\r\nUser-Agent: t\r\n\r\n";
        await ShouldNotAllocateAsync(proxy, client.Client, Request);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Accept-Encoding: gzip, br\r\nIf-None-Match: \"other\"\r\n")]
    [InlineData("Range: bytes=4-\r\nIf-Modified-Since: Mon, 06 May 2002 07:08:09 GMT\r\n")]
    public async Task Serves_a_small_file_without_allocating(string fields)
    {
        await using Files.FileFixture site =
            new Files.FileFixture().With("index.html", "HTTP\r\n\r\none");
        site.Serving(
            f => f with { TryFiles = ["$uri", "$uri/", "=404"], CacheControl = "max-age=1" },
            r => r with { Compression = new CompressionConfig() });
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(site.Proxy.Address, TestContext.Current.CancellationToken);
        string request = $"GET / HTTP/1.1\r\nHost: test\r\n{fields}\r\n";
        await ShouldNotAllocateAsync(site.Proxy, client.Client, request);
    }

    /// <summary>A location of nginx's kind, with what most of them have.</summary>
    [Theory]
    [InlineData("GET /one.txt HTTP/1.1\r\nHost: test\r\n\r\n")]
    [InlineData("GET /one.txt HTTP/1.1\r\nHost: test\r\nRange: bytes=0-2\r\n\r\n")]
    [InlineData("GET /back HTTP/1.1\r\nHost: test\r\nUser-Agent: t\r\n\r\n")]
    public async Task Serves_locations_of_nginx_without_allocating(string request)
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("tessera-allocations-");
        File.WriteAllText(Path.Combine(folder.FullName, "one.txt"), "one");
        ProxyConfig read = NginxText.ReadHttp(
            $$"""
            access_log off; keepalive_requests 100000; charset utf-8;
            gunzip on; gzip on; gzip_min_length 100;
            add_header X-Uri $uri;
            upstream web {
                server {{server.Address}}; keepalive 4; keepalive_requests 100000;
            }
            server {
                location / { root {{folder.FullName}}; }
                location /back {
                    proxy_pass http://web; proxy_http_version 1.1;
                    proxy_set_header Connection ""; proxy_set_header X-Real-IP $remote_addr;
                }
            }
            """);
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            new ProxyOptions { Reactors = 1 },
            backend: _ => read.Backends.ShouldHaveSingleItem(),
            listener: l => l with { Routes = [], Servers = read.Listeners[0].Servers });
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(proxy.Address, TestContext.Current.CancellationToken);
        await ShouldNotAllocateAsync(proxy, client.Client, request);
        await proxy.DisposeAsync();
        folder.Delete(recursive: true);
    }

    /// <summary>
    /// What each request allocates is seen in every batch; a turn of the clock, or a garbage
    /// collection that gives the thread a new piece of memory, only in some.
    /// </summary>
    private static async Task ShouldNotAllocateAsync(
        ProxyFixture proxy, Socket client, string request)
    {
        await RepeatAsync(client, request, 1_000);
        long least = long.MaxValue;
        for (int batch = 0; batch < 5 && least >= AllowedBytes; batch++)
        {
            long before = await AllocatedAsync(proxy);
            await RepeatAsync(client, request, 400);
            least = Math.Min(least, await AllocatedAsync(proxy) - before);
        }

        least.ShouldBeLessThan(AllowedBytes);
    }

    private static async Task RepeatAsync(Socket client, string request, int times)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(request);
        byte[] buffer = new byte[1_024];
        for (int i = 0; i < times; i++)
        {
            await client.SendAsync(bytes, TestContext.Current.CancellationToken);
            int received = await client.ReceiveAsync(buffer, TestContext.Current.CancellationToken);
            Encoding.ASCII.GetString(buffer, 0, received).ShouldEndWith("\r\n\r\none");
        }
    }

    private static Task<long> AllocatedAsync(ProxyFixture proxy)
    {
        var done = new TaskCompletionSource<long>(
            TaskCreationOptions.RunContinuationsAsynchronously);
        proxy.Server.Reactors[0].Post(
            () => done.SetResult(GC.GetAllocatedBytesForCurrentThread()));
        return done.Task;
    }
}
