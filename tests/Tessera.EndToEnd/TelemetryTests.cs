using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>What an operator sees of a running balancer.</summary>
public sealed class TelemetryTests
{
    [Fact]
    public async Task Metrics_are_printed_and_served()
    {
        await using var host = new TesseraHost();
        int metrics = FreePorts.Next();
        host.Variables["TESSERA_METRICS"] = $"127.0.0.1:{metrics}";
        int port = FreePorts.Next();
        await using ComposeProject project = Shop(host, port);
        (await project.RunAsync("up", "-d", "--wait")).ShouldSucceed();
        await GetAsync(port, "/");

        string expected = $"backend=\"{project.Name}/web:80\",code=\"2xx\"}} 1\n";
        await Eventually.HoldsAsync("the request is counted", async () =>
            (await host.RunAsync("metrics")).Output.Contains(expected, StringComparison.Ordinal));
        string page = await GetAsync(metrics, "/metrics");
        page.ShouldContain(expected);
        page.ShouldContain("\nprocess_open_fds ");
        (await GetAsync(metrics, "/")).ShouldBeEmpty();
    }

    [Fact]
    public async Task SIGUSR1_begins_the_logs_anew()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = Shop(host, port);
        (await project.RunAsync("up", "-d", "--wait")).ShouldSucceed();
        string access = Path.Combine(host.Home, "projects", project.Name, "access.log");
        string own = Path.Combine(host.Home, "daemon.log");
        int daemon = host.DaemonPid.ShouldNotBeNull();

        await GetAsync(port, "/first");
        await Processes.SignalAsync(daemon, "USR1");
        await Eventually.HoldsAsync("the line is written", () => File.Exists(access));
        File.Move(access, access + ".1");
        File.Move(own, own + ".1");
        await GetAsync(port, "/second");
        await Processes.SignalAsync(daemon, "USR1");
        await Eventually.HoldsAsync("both are begun anew", () =>
            File.Exists(access) && File.Exists(own)
            && File.ReadAllText(own).Contains("logs were reopened", StringComparison.Ordinal));
        File.ReadAllText(access).ShouldContain("/second");
        File.ReadAllText(access).ShouldNotContain("/first");
        File.ReadAllText(access + ".1").ShouldContain("/first");
        File.Delete(access + ".1");
        File.Delete(own + ".1");
    }

    private static ComposeProject Shop(TesseraHost host, int port) => host.Project($$"""
        services:
          web:
            command: {{App.Whoami}}
            ports: ["{{port.ToString(CultureInfo.InvariantCulture)}}:80"]
        """);

    /// <summary>The body; "" for an answer without one.</summary>
    private static async Task<string> GetAsync(int port, string path)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, port);
        NetworkStream stream = socket.GetStream();
        await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes(
            $"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"));
        using var reader = new StreamReader(stream);
        string answer = await reader.ReadToEndAsync();
        return answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
    }
}
