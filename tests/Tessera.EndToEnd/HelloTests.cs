using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>The first thing anybody tries: the hello example.</summary>
public sealed class HelloTests
{
    [Fact]
    public async Task Three_instances_share_300_requests_evenly_and_down_leaves_nothing()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        string file = CopyHello(host, port);

        (await host.RunAsync("-f", file, "up", "-d", "--wait")).ShouldSucceed();
        Dictionary<string, int> counts = [];
        using (RawHttp http = await RawHttp.ConnectAsync(port))
        {
            for (int i = 0; i < 300; i++)
            {
                await http.SendAsync("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
                HttpAnswer answer = await http.ReadAnswerAsync();
                answer.Status.ShouldBe(200);
                counts[answer.Instance] = counts.GetValueOrDefault(answer.Instance) + 1;
            }
        }

        counts.Keys.Order().ShouldBe(["hello-web-1", "hello-web-2", "hello-web-3"]);
        counts.Values.ShouldAllBe(count => count >= 99 && count <= 101);

        (await host.RunAsync("-f", file, "down")).ShouldSucceed();
        await Eventually.HoldsAsync(
            "no process is left, the daemon included",
            () => Processes.FindMarked(host.Root).Count == 0);
        host.StateFiles().ShouldBeEmpty();
        FreePorts.IsFree(port).ShouldBeTrue();
    }

    [Fact]
    public async Task New_connections_are_shared_evenly_as_well()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                scale: 3
                ports: ["{{port}}:80"]
            """);
        await project.UpAsync();

        Dictionary<string, int> counts = [];
        for (int i = 0; i < 300; i++)
        {
            string instance = (await RawHttp.GetAsync(port)).Instance;
            counts[instance] = counts.GetValueOrDefault(instance) + 1;
        }

        counts.Count.ShouldBe(3);
        counts.Values.ShouldAllBe(count => count >= 99 && count <= 101);
    }

    [Fact]
    public async Task Whoami_names_the_instance_then_repeats_the_request()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
            """, "naming");
        await project.UpAsync();

        HttpAnswer answer = await RawHttp.GetAsync(port, "/some/path?with=query");

        string[] lines = answer.Text.Split('\n');
        lines[0].TrimEnd().ShouldBe("Instance: naming-web-1");
        lines[1].TrimEnd().ShouldBe("GET /some/path?with=query HTTP/1.1");
        answer.EchoedHeader("Host").ShouldBe("localhost");
        answer.Header("Content-Type")!.ShouldStartWith("text/plain");
    }

    [Fact]
    public async Task Up_in_the_foreground_shows_output_and_ends_everything_on_ctrl_c()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        string file = CopyHello(host, port);

        await using RunningCommand up = host.Start("-f", file, "up");
        await Eventually.HoldsAsync("hello answers", async () => await AnswersAsync(port));
        up.HasExited.ShouldBeFalse(up.Errors);
        await up.SignalAsync("INT");
        CommandResult result = await up.WaitAsync(TimeSpan.FromSeconds(20));

        // Compose's own exit code of an `up` that was interrupted and stopped everything.
        result.ExitCode.ShouldBeOneOf(0, 130);
        (await host.RunAsync("-f", file, "ps", "-q")).OutputLines.ShouldBeEmpty();
        (await host.RunAsync("-f", file, "down")).ShouldSucceed();
    }

    private static string CopyHello(TesseraHost host, int port)
    {
        string folder = Path.Combine(host.Root, "hello");
        Directory.CreateDirectory(folder);
        string example = File.ReadAllText(
            Path.Combine(Repository.Example("hello"), "compose.yaml"));
        example.ShouldContain("\"8080:80\"");
        File.WriteAllText(
            Path.Combine(folder, "compose.yaml"),
            example.Replace("8080:80", $"{port}:80", StringComparison.Ordinal));
        return folder;
    }

    private static async Task<bool> AnswersAsync(int port)
    {
        try
        {
            return (await RawHttp.GetAsync(port)).Status == 200;
        }
        catch (System.Net.Sockets.SocketException)
        {
            return false;
        }
    }
}
