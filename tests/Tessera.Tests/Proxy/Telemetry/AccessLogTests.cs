using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.RegularExpressions;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Telemetry;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Telemetry;

public sealed class AccessLogTests : IDisposable
{
    private readonly string _folder =
        Directory.CreateTempSubdirectory("tessera-log-").FullName;

    private string LogPath => Path.Combine(_folder, "access.log");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Writes_nginx_combined_format_with_upstream_and_times()
    {
        using ScriptedServer server = ScriptedServer.Named("hello");
        string line = await LineOfAsync(
            [server],
            "GET /a?b=c HTTP/1.1\r\nHost: t\r\nReferer: http://r/\r\nUser-Agent: me/1.0\r\n"
            + "Connection: close\r\n\r\n");
        line.ShouldMatch(
            @"^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
            + @"""GET /a\?b=c HTTP/1\.1"" 200 5 ""http://r/"" ""me/1\.0"" "
            + Regex.Escape($"\"{server.Address}\"")
            + @" rt=\d+\.\d{3} uct=\d+\.\d{3} urt=\d+\.\d{3}$");
    }

    [Fact]
    public async Task Escapes_what_the_client_controls_as_nginx_does()
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        string line = await LineOfAsync(
            [server],
            "GET / HTTP/1.1\r\nHost: t\r\nUser-Agent: a\"b\\c\u00e9\td\r\n"
            + "Connection: close\r\n\r\n");
        line.ShouldContain("""
            "-" "a\x22b\x5Cc\xE9\x09d"
            """);
    }

    [Theory]
    [InlineData("Basic YW5uOnNlY3JldA==", "ann")]
    [InlineData("Basic YSJiOg==", "a\\x22b")]
    [InlineData("Basic OnNlY3JldA==", "-")]
    [InlineData("Basic =", "-")]
    [InlineData("Bearer YW5uOnNlY3JldA==", "-")]
    public async Task Names_the_user_that_the_client_says_it_is(string authorization, string user)
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        string line = await LineOfAsync(
            [server],
            $"GET / HTTP/1.1\r\nHost: t\r\nAuthorization: {authorization}\r\n"
            + "Connection: close\r\n\r\n");
        line.ShouldContain($" - {user} [");
    }

    [Fact]
    public async Task Names_every_endpoint_that_was_tried()
    {
        using ScriptedServer dying = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            connection.Reset();
        });
        using ScriptedServer alive = ScriptedServer.Named("x");
        string line = await LineOfAsync(
            [dying, alive], "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
        line.ShouldContain($"\"{dying.Address}, {alive.Address}\" rt=");
        line.ShouldMatch(@" uct=\d\.\d{3}, \d\.\d{3} urt=\d\.\d{3}, \d\.\d{3}$");
    }

    [Theory]
    [InlineData("nonsense\r\n\r\n", "\"-\" 400 ")]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "\"GET / HTTP/1.1\" 400 ")]
    public async Task Writes_a_line_for_what_was_refused(string request, string expected)
    {
        string line = await LineOfAsync([], request);
        line.ShouldContain(expected);
        line.ShouldEndWith(" uct=- urt=-");
        line.ShouldContain(" \"-\" \"-\" \"-\" rt=0.");
    }

    [Fact]
    public async Task Writes_within_about_a_second()
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        await using ProxyFixture proxy = Start([server]);
        await proxy.GetAsync();
        await Eventually.BecomesTrueAsync(() => File.Exists(LogPath) && Lines(LogPath).Length == 1);
    }

    [Fact]
    public async Task Loses_no_line_when_many_connections_write()
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        ProxyFixture proxy = Start([server]);
        await Task.WhenAll(Enumerable.Range(0, 10).Select(async c =>
        {
            using ScriptedConnection client = await proxy.ConnectAsync();
            for (int i = 0; i < 200; i++)
            {
                await client.SendAsync($"GET /{c}/{i} HTTP/1.1\r\nHost: t\r\n\r\n");
                (await client.ReadResponseAsync()).Body.ShouldBe("x");
            }
        }));
        await proxy.DisposeAsync();
        string[] lines = Lines(LogPath);
        lines.Select(l => l.Split('"')[1]).Distinct().Count().ShouldBe(2_000);
    }

    [Fact]
    public void Rotates_by_size_and_keeps_so_many()
    {
        using (var writer = new LogWriter(maxBytes: 100, backups: 2, _ => { }))
        {
            for (int i = 0; i < 5; i++)
            {
                byte[] chunk = new byte[60];
                chunk.AsSpan().Fill((byte)('0' + i));
                writer.Enqueue(new LogChunk(new LogTarget(LogPath), chunk, chunk.Length, 1));
            }
        }

        File.ReadAllText(LogPath).ShouldBe(new string('4', 60));
        File.ReadAllText(LogPath + ".1").ShouldBe(new string('3', 60));
        File.ReadAllText(LogPath + ".2").ShouldBe(new string('2', 60));
        File.Exists(LogPath + ".3").ShouldBeFalse();
    }

    [Fact]
    public void Says_once_that_lines_are_lost_and_when_it_works_again()
    {
        var said = new ConcurrentQueue<string>();
        string path = Path.Combine(_folder, "later", "access.log");
        using (var writer = new LogWriter(1_000, 1, said.Enqueue))
        {
            for (int i = 0; i < 3; i++)
            {
                writer.Enqueue(new LogChunk(new LogTarget(path), "lost\n"u8.ToArray(), 5, 1));
            }

            SpinWait.SpinUntil(() => writer.Dropped == 3, 5_000).ShouldBeTrue();
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            writer.Enqueue(new LogChunk(new LogTarget(path), "kept\n"u8.ToArray(), 5, 1));
        }

        File.ReadAllText(path).ShouldBe("kept\n");
        said.Count.ShouldBe(2);
        said.First().ShouldContain("cannot be written");
        said.Last().ShouldContain("3 lines were lost");
    }

    [Fact]
    public async Task Writes_json_that_any_reader_takes()
    {
        using ScriptedServer server = ScriptedServer.Named("hello");
        using var log = new LogFile();
        string line = await log.LineOfAsync(
            [server],
            "GET /a?b=\"c\" HTTP/1.1\r\nHost: t\r\nReferer: \u00e9\\\r\n"
            + "User-Agent: \"me\"\t/1\r\nConnection: close\r\n\r\n",
            l => l with { Format = AccessLogConfig.JsonFormat });
        JsonElement json = JsonDocument.Parse(line).RootElement;
        json.GetProperty("user_agent").GetString().ShouldBe("\"me\"\t/1");
        json.GetProperty("referer").GetString().ShouldBe("\u00e9\\");
        json.GetProperty("uri").GetString().ShouldBe("/a?b=\"c\"");
        json.GetProperty("status").GetInt32().ShouldBe(200);
        json.GetProperty("request_time").GetDouble().ShouldBeLessThan(5);
        json.GetProperty("upstream_addr").GetString().ShouldBe(server.Address.ToString());
        json.GetProperty("upstream_status").GetString().ShouldBe("200");
    }

    [Theory]
    [InlineData(LogEscaping.Text, @"a\x22\x5C-\xC3\xA9|-")]
    [InlineData(LogEscaping.Json, "a\\\"\\\\-\u00c3\u00a9|")]
    [InlineData(LogEscaping.None, "a\"\\-\u00c3\u00a9|")]
    public async Task Escapes_values_as_it_is_told(LogEscaping escaping, string expected)
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        using var log = new LogFile();
        string line = await log.LineOfAsync(
            [server],
            "GET / HTTP/1.1\r\nHost: t\r\nX-A: a\"\\-\u00c3\u00a9\r\nConnection: close\r\n\r\n",
            l => l with { Format = "$http_x_a|$http_none", Escaping = escaping });
        line.ShouldBe(expected);
    }

    [Fact]
    public async Task Leaves_out_what_the_condition_says()
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        using var log = new LogFile();
        await using (ProxyFixture proxy = log.Start(
            [server], l => l with { Format = "$uri", Condition = "$arg_log" }))
        {
            await proxy.GetAsync("/a");
            await proxy.GetAsync("/b?log=0");
            await proxy.GetAsync("/c?log=1");
        }

        log.Lines.ShouldBe(["/c"]);
    }

    [Fact]
    public async Task Cuts_a_line_that_values_would_make_too_long()
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        using var log = new LogFile();
        string format = string.Join('|', Enumerable.Repeat("$http_x_a", 40));
        string line = await log.LineOfAsync(
            [server],
            $"GET / HTTP/1.1\r\nHost: t\r\nX-A: {new string('"', 4_000)}\r\n"
            + "Connection: close\r\n\r\n",
            l => l with { Format = format });
        line.Length.ShouldBeLessThan(AccessLogFormat.MaxLineBytes);
        line.Split('|').Length.ShouldBe(40);
    }

    [Theory]
    [InlineData('a')]
    [InlineData('"')]
    public async Task A_long_value_that_has_room_is_there_as_a_whole(char letter)
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        using var log = new LogFile();
        string value = new(letter, 12_000);
        string line = await log.LineOfAsync(
            [server],
            $"GET / HTTP/1.1\r\nHost: t\r\nX-A: {value}\r\nConnection: close\r\n\r\n",
            l => l with { Format = "$http_x_a" });
        line.TrimEnd('\n').ShouldBe(value.Replace("\"", "\\x22", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_value_that_is_longer_than_any_line_does_not_cost_the_line()
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        using var log = new LogFile();
        string line = await log.LineOfAsync(
            [server],
            $"GET /b HTTP/1.1\r\nHost: t\r\nX-A: {new string('a', 70_000)}\r\n"
            + "Connection: close\r\n\r\n",
            l => l with { Format = "$http_x_a $uri" },
            new ProxyOptions { Reactors = 1, MaxHeadBytes = 100_000 });
        line.ShouldBe(new string('a', 4_096) + " /b");
    }

    [Fact]
    public async Task A_file_that_was_moved_away_is_begun_anew_on_request()
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        using var log = new LogFile();
        await using ProxyFixture proxy = log.Start([server], l => l with { Format = "$uri" });
        await proxy.GetAsync("/a");
        await proxy.Server.ReopenLogsAsync();
        File.Move(log.Path, log.Path + ".old");
        await proxy.GetAsync("/b");
        await proxy.Server.ReopenLogsAsync();
        log.Lines.ShouldBe(["/b"]);
        File.ReadAllText(log.Path + ".old").ShouldBe("/a\n");
    }

    [Fact]
    public async Task A_format_that_cannot_be_read_changes_nothing()
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        var config = new ProxyConfig
        {
            Listeners =
            [
                new ListenerConfig
                {
                    Address = proxy.Address,
                    AccessLog = new AccessLogConfig { Path = LogPath, Format = "$nothing_such" },
                },
            ],
        };
        ProxyServer.FindProblems(config).ShouldBe(
            ["the access log's format: there is no variable \"$nothing_such\"."]);
        Should.Throw<FormatException>(() => proxy.Server.Apply(config));
        (await proxy.GetAsync()).ShouldBe("x");
    }

    private static string[] Lines(string path)
    {
        using var stream = new FileStream(
            path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream, System.Text.Encoding.Latin1);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private ProxyFixture Start(IEnumerable<ScriptedServer> servers) => ProxyFixture.Start(
        servers.Select(s => s.Address),
        listener: l => l with { AccessLog = new AccessLogConfig { Path = LogPath } });

    private async Task<string> LineOfAsync(IEnumerable<ScriptedServer> servers, string request)
    {
        await using (ProxyFixture proxy = Start(servers))
        {
            await proxy.ExchangeAsync(request);
        }

        return Lines(LogPath).ShouldHaveSingleItem();
    }
}
