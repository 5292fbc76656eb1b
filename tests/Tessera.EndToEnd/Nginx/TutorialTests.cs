using System.Diagnostics;
using System.Globalization;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>
/// The configurations that tutorials of nginx in front of Tornado, Flask and Tomcat print, and what
/// the tutorials say that they do. Ports are what a test can have; servers are real processes.
/// </summary>
public sealed class TutorialTests : IAsyncDisposable
{
    private readonly List<RunningCommand> _apps = [];
    private readonly int[] _ports = [.. Enumerable.Range(0, 4).Select(_ => FreePorts.Next())];
    private readonly string _links = Directory.CreateTempSubdirectory("tessera-link-").FullName;

    [Fact]
    public async Task Tornado_behind_an_upstream_gets_the_host_and_the_client()
    {
        await StartAppsAsync(2);
        await using NginxServer server = await StartAsync(
            """
            upstream mytornado {
                server 127.0.0.1:%%APP_0%%;
                server 127.0.0.1:%%APP_1%%;
            }
            server {
                listen      %%PORT_0%%;

                location / {
                    proxy_pass http://mytornado;
                    proxy_set_header Host $host;
                    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                }
            }
            """);
        string[] names = await AskAsync(server, 10);
        names.Count(name => name == "app-0").ShouldBe(5);
        names.Count(name => name == "app-1").ShouldBe(5);
    }

    [Fact]
    public async Task Fields_for_tornado_and_the_server_field_pass()
    {
        await StartAppsAsync(4);
        await using NginxServer server = await StartAsync(
            """
            upstream frontends {
                server 127.0.0.1:%%APP_0%%;
                server 127.0.0.1:%%APP_1%%;
                server 127.0.0.1:%%APP_2%%;
                server 127.0.0.1:%%APP_3%%;
            }
            server {
                listen %%PORT_0%%;
                server_name localhost;
                location / {
                    proxy_pass_header Server;
                    proxy_set_header Host $http_host;
                    proxy_set_header X-Real-IP $remote_addr;
                    proxy_set_header X-Scheme $scheme;
                    proxy_pass http://frontends;
                    proxy_next_upstream error;
                }
            }
            """);
        (await AskAsync(server, 8)).Distinct().Count().ShouldBe(4);
    }

    [Fact]
    public async Task Three_of_four_requests_go_to_the_weight_of_three_and_the_log_names_it()
    {
        await StartAppsAsync(2);
        await using NginxServer server = await StartAsync(
            """
            upstream app {
                server 127.0.0.1:%%APP_0%% weight=3;
                server 127.0.0.1:%%APP_1%%;
            }
            log_format upstreamlog '[$time_local] $host to: $upstream_addr: $request $status';
            server {
                listen %%PORT_0%%;
                server_name localhost;
                location / {
                    proxy_pass http://app;
                }
                access_log logs/upstream.log upstreamlog;
            }
            """);
        string[] names = await AskAsync(server, 4_000);
        names.Count(name => name == "app-0").ShouldBe(3_000);
        names.Count(name => name == "app-1").ShouldBe(1_000);
        await Eventually.HoldsAsync(
            "all lines are in the log",
            () => server.ReadFile("logs/upstream.log").Count(c => c == '\n') == 4_000);
        string[] lines = server.ReadFile("logs/upstream.log").TrimEnd('\n').Split('\n');
        string first = string.Create(
            CultureInfo.InvariantCulture,
            $" localhost to: 127.0.0.1:{_ports[0]}: GET / HTTP/1.1 200");
        lines.Count(line => line.EndsWith(first, StringComparison.Ordinal)).ShouldBe(3_000);
    }

    [Fact]
    public async Task Every_client_stays_by_its_address()
    {
        await StartAppsAsync(4);
        await using NginxServer server = await StartAsync(
            """
            upstream backserver {
                ip_hash;
                server 127.0.0.1:%%APP_0%%;
                server 127.0.0.1:%%APP_1%%;
                server 127.0.0.1:%%APP_2%%;
                server 127.0.0.1:%%APP_3%%;
            }
            server {
                listen %%PORT_0%%;
                location / { proxy_pass http://backserver; }
            }
            """);
        var seen = new HashSet<string>();
        for (int network = 0; network < 24; network++)
        {
            string from = string.Create(CultureInfo.InvariantCulture, $"127.0.{network}.1");
            var names = new HashSet<string>();
            for (int i = 0; i < 4; i++)
            {
                HttpAnswer answer = await RawHttp.AskAsync(server.Port(), "GET /", from: from);
                names.Add(NameIn(answer));
            }

            names.Count.ShouldBe(1, from);
            seen.UnionWith(names);
        }

        seen.Count.ShouldBeGreaterThan(1);
    }

    [Theory]
    [InlineData("fair;")]
    [InlineData("hash $request_uri; hash_method crc32;")]
    public async Task Methods_of_third_parties_are_understood(string method)
    {
        await StartAppsAsync(2);
        await using NginxServer server = await StartAsync(
            $$"""
            upstream backserver {
                server 127.0.0.1:%%APP_0%%;
                server 127.0.0.1:%%APP_1%%;
                {{method}}
            }
            server {
                listen %%PORT_0%%;
                location / { proxy_pass http://backserver; }
            }
            """);
        string[] names = await AskAsync(server, 20);
        names.ShouldAllBe(name => name == "app-0" || name == "app-1");
        if (method.StartsWith("hash", StringComparison.Ordinal))
        {
            names.Distinct().Count().ShouldBe(1, "one address has one server");
        }
    }

    [Fact]
    public async Task A_dead_server_is_skipped_and_comes_back()
    {
        await StartAppsAsync(2);
        await using NginxServer server = await StartAsync(
            """
            upstream tomcat {
                server 127.0.0.1:%%APP_0%% fail_timeout=1s;
                server 127.0.0.1:%%APP_1%% fail_timeout=1s;
            }
            server {
                listen       %%PORT_0%%;
                server_name localhost;
                index index.html index.htm index.php;
                access_log  logs/access.log;
                location / {
                    proxy_pass  http://tomcat;
                }
            }
            """);
        (await AskAsync(server, 4)).Distinct().Count().ShouldBe(2);
        await _apps[0].DisposeAsync();
        _apps.RemoveAt(0);
        (await AskAsync(server, 20)).ShouldAllBe(name => name == "app-1");
        await StartAppAsync(0);
        await Eventually.HoldsAsync(
            "the first server is asked again",
            async () => (await AskAsync(server, 2)).Contains("app-0"));
    }

    [Fact]
    public async Task A_reload_under_load_drops_nothing()
    {
        await StartAppsAsync(2);
        await using NginxServer server = await StartAsync(
            """
            upstream app { server 127.0.0.1:%%APP_0%%; }
            server { listen %%PORT_0%%; location / { proxy_pass http://app; } }
            """);
        await using LoadClient load = LoadClient.Start(server.Port());
        string file = server.Prefix + "nginx.conf";
        string before = await File.ReadAllTextAsync(file);
        string after = before.Replace(
            "server 127.0.0.1:" + Text(_ports[0]), "server 127.0.0.1:" + Text(_ports[1]),
            StringComparison.Ordinal);
        for (int i = 0; i < 6; i++)
        {
            await load.UntilMoreAnswersAsync(50);
            await File.WriteAllTextAsync(file, i % 2 == 0 ? after : before);
            await server.SignalAsync("HUP");
        }

        // A file that cannot be used changes nothing, and the log says why.
        await load.UntilMoreAnswersAsync(50);
        await File.WriteAllTextAsync(file, "nonsense;\n");
        await server.SignalAsync("HUP");
        await Eventually.HoldsAsync(
            "the log names the error",
            () => server.ReadFile("logs/error.log").Contains(
                $"[emerg]", StringComparison.Ordinal)
                && server.ReadFile("logs/error.log").Contains(
                    $"unknown directive \"nonsense\" in {file}:1", StringComparison.Ordinal));
        await load.UntilMoreAnswersAsync(50);
        (await load.StopAsync()).ShouldHaveNoFailure();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (RunningCommand app in _apps)
        {
            await app.DisposeAsync();
        }

        Directory.Delete(_links, recursive: true);
    }

    private Task<NginxServer> StartAsync(string http)
    {
        for (int i = 0; i < _ports.Length; i++)
        {
            http = http.Replace($"%%APP_{i}%%", Text(_ports[i]), StringComparison.Ordinal);
        }

        string link = Path.Combine(_links, "nginx");
        File.CreateSymbolicLink(link, Repository.Binary);
        return NginxServer.StartAsync(
            link,
            $"worker_processes 4;\nevents {{ }}\nhttp {{\n{http}\n}}\n",
            new Dictionary<string, string>());
    }

    private async Task StartAppsAsync(int count)
    {
        for (int i = 0; i < count; i++)
        {
            await StartAppAsync(i);
        }
    }

    private async Task StartAppAsync(int number)
    {
        var start = new ProcessStartInfo(Repository.Binary);
        start.Environment["TESSERA_INSTANCE"] = $"app-{number}";
        Array.ForEach(["whoami", "--port", Text(_ports[number])], start.ArgumentList.Add);
        var app = new RunningCommand(start);
        _apps.Add(app);
        await app.UntilOutputAsync("listens on");
    }

    private static async Task<string[]> AskAsync(NginxServer server, int times)
    {
        string[] names = new string[times];
        RawHttp? http = null;
        for (int i = 0; i < times; i++)
        {
            http ??= await RawHttp.ConnectAsync(server.Port());
            await http.SendAsync("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            HttpAnswer answer = await http.ReadAnswerAsync();
            names[i] = NameIn(answer);
            if (!answer.KeepAlive)
            {
                http.Dispose();
                http = null;
            }
        }

        http?.Dispose();
        return names;
    }

    private static string NameIn(HttpAnswer answer)
    {
        answer.Status.ShouldBe(200);
        return answer.Instance;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
