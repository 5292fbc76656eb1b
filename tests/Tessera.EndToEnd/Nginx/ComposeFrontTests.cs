using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>A file in nginx's language in front of a Compose project's services.</summary>
public sealed class ComposeFrontTests
{
    private const string Application =
        """
        import http.server, sys

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = b'hello from ' + sys.argv[1].encode()
                self.send_response(200)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *rest):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 512

        Server(('127.0.0.1', int(sys.argv[1])), Answer).serve_forever()
        """;

    [Fact]
    public async Task Python_from_one_to_three_to_one_with_a_crash_and_a_new_file_fails_no_request()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              application:
                command: {{App.Python}} main.py $$PORT
                restart: always
            x-tessera: { nginx: ./nginx.conf }
            """, "fronted");
        project.Write(Application, "main.py");
        project.Write(FileOf(port, "round"), "nginx.conf");
        await project.UpAsync();
        await using LoadClient load = LoadClient.Start(port, new LoadOptions(Connections: 16));
        await load.UntilMoreAnswersAsync(100);

        (await project.RunAsync("scale", "application=3")).ShouldSucceed();
        await project.UntilPsAsync(
            "three instances are active", rows => rows.Count(row => row.IsActive) == 3);
        await load.UntilMoreAnswersAsync(300);
        await project.KillOneAsync("fronted-application-2");
        await load.UntilMoreAnswersAsync(200);

        project.Write(FileOf(port, "least_conn"), "nginx.conf");
        await project.UpAsync("--scale", "application=3");
        await load.UntilMoreAnswersAsync(200);
        (await project.RunAsync("scale", "application=1")).ShouldSucceed();
        await load.UntilMoreAnswersAsync(200);

        (await load.StopAsync()).ShouldHaveNoFailure(atLeast: 1_000);
        string[] lines = await File.ReadAllLinesAsync(
            Path.Combine(project.Folder, "front.log"));
        lines.Select(line => line.Split(' ')[1]).Distinct().Count().ShouldBeGreaterThan(2);
        lines.ShouldContain(line => line.StartsWith("round 127.", StringComparison.Ordinal));
        lines.ShouldContain(line => line.StartsWith("least_conn 127.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_broken_file_is_told_in_nginxs_words_and_another_daemon_knows_the_good_one()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              application:
                command: {{App.Whoami}}
              front:
                image: nginx
                ports: ["127.0.0.1:{{port}}:80"]
                x-tessera: { nginx: [nginx.conf] }
            """, "broken");
        project.Write("include servers/*.conf;", "nginx.conf");
        Directory.CreateDirectory(Path.Combine(project.Folder, "servers"));
        project.Write(FileOf(80, "good"), "servers/one.conf");
        await project.UpAsync();
        (await AskAsync(port)).Status.ShouldBe(200);

        project.Write(FileOf(80, "bad"), "servers/one.conf");
        CommandResult broken = await project.RunAsync("up", "-d");
        broken.ShouldExitWith(2);
        broken.Errors.ShouldContain("nginx: [emerg] unknown directive \"bad\" in "
            + Path.Combine(project.Folder, "servers/one.conf") + ":3");
        (await AskAsync(port)).Status.ShouldBe(200);

        await host.KillDaemonAsync();
        (await project.PsOneAsync("application")).IsActive.ShouldBeTrue();
        (await AskAsync(port)).Status.ShouldBe(200);

        project.Write(
            FileOf(80, "good").Replace("8000", "8001", StringComparison.Ordinal)
                .Replace("application:", "nobody-here.invalid:", StringComparison.Ordinal),
            "servers/one.conf");
        (await project.RunAsync("up", "-d")).Errors.ShouldContain(
            "host not found in upstream \"nobody-here.invalid\"");
    }

    [Fact]
    public async Task Files_of_two_projects_have_names_of_their_own()
    {
        await using var host = new TesseraHost();
        int[] ports = [FreePorts.Next(), FreePorts.Next()];
        string[] answers = new string[2];
        for (int i = 0; i < 2; i++)
        {
            ComposeProject project = host.Project(
                "services: { application: { command: sleep 1000, stop_grace_period: 0s } }\n"
                + "x-tessera: { nginx: nginx.conf }", $"twin{i}");
            project.Write($$"""
                map $host $who { default {{i}}; }
                server { listen {{ports[i]}}; return 200 $who; }
                """, "nginx.conf");
            await project.UpAsync();
        }

        for (int i = 0; i < 2; i++)
        {
            answers[i] = (await AskAsync(ports[i])).Text;
        }

        answers.ShouldBe(["0", "1"]);
        ComposeProject third = host.Project(
            "services: { application: { command: sleep 1000 } }\n"
            + "x-tessera: { nginx: nginx.conf }", "third");
        third.Write($"server {{ listen {ports[0]}; return 204; }}", "nginx.conf");
        CommandResult up = await third.RunAsync("up", "-d");
        up.ShouldExitWith(1);
        up.Errors.ShouldContain($"0.0.0.0:{ports[0]} is already listened on for project twin0");
        for (int i = 0; i < 2; i++)
        {
            (await host.RunAsync("-p", $"twin{i}", "down", "--timeout", "1")).ShouldSucceed();
        }
    }

    private static string FileOf(int port, string method) => $$"""
        upstream app {
            server application:8000 max_fails=2;
            {{(method is "round" or "good" ? "" : method + ";")}}
        }
        log_format short '{{method}} $upstream_addr $status';
        server {
            listen {{port}};
            access_log front.log short;
            location / {
                proxy_pass http://app;
            }
        }
        """;

    private static async Task<HttpAnswer> AskAsync(int port)
    {
        using RawHttp http = await RawHttp.ConnectAsync(port, TimeSpan.FromSeconds(10));
        await http.SendAsync("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        return await http.ReadAnswerAsync();
    }
}
