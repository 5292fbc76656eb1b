using System.Net.Sockets;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>Connections that are passed through: upgrades, and ports that speak no HTTP.</summary>
public sealed class TunnelTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task An_upgraded_connection_echoes_and_half_closes()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              socket:
                command: {{App.UpgradeEcho}}
                ports: ["{{port}}:80"]
            """, "upgraded");
        await project.UpAsync();

        using RawHttp http = await RawHttp.ConnectAsync(port);
        await http.SendAsync(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            + "early");
        HttpAnswer answer = await http.ReadAnswerAsync();
        answer.Status.ShouldBe(101);
        answer.Header("Upgrade").ShouldBe("websocket");
        (await http.ReadTextAsync(5)).ShouldBe("early");
        string large = new('x', 300_000);
        Task sending = http.SendAsync(large);
        (await http.ReadTextAsync(large.Length)).ShouldBe(large);
        await sending;
        http.Socket.Shutdown(SocketShutdown.Send);
        (await http.ReadAllAsync()).ShouldBe("bye");
    }

    [Fact]
    public async Task A_refused_upgrade_is_a_plain_answer()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
            """, "refused");
        await project.UpAsync();

        using RawHttp http = await RawHttp.ConnectAsync(port);
        for (int i = 0; i < 2; i++)
        {
            await http.SendAsync(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
            (await http.ReadAnswerAsync()).Status.ShouldBe(200);
        }
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("")]
    public async Task Bytes_that_are_not_http_pass_through(string appProtocol)
    {
        int port = FreePorts.Next();
        string protocol = appProtocol.Length == 0 ? "" : $", app_protocol: {appProtocol}";
        await using ComposeProject project = host.Project($$"""
            services:
              echo:
                command: {{App.TcpEcho()}}
                ports:
                  - { target: 7, published: {{port}}{{protocol}} }
            """, "passed");
        await project.UpAsync();

        using RawHttp raw = await RawHttp.ConnectAsync(port);
        await raw.SendAsync("*1\r\n$4\r\nPING\r\n");
        (await raw.ReadTextAsync(14)).ShouldBe("*1\r\n$4\r\nPING\r\n");
        await raw.SendAsync("\0\u0001\u00ff binary");
        (await raw.ReadTextAsync(10)).ShouldBe("\0\u0001\u00ff binary");
        raw.Socket.Shutdown(SocketShutdown.Send);
        (await raw.ReadAllAsync()).ShouldBe("");
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("")]
    public async Task A_server_that_speaks_first_is_heard(string appProtocol)
    {
        int port = FreePorts.Next();
        string protocol = appProtocol.Length == 0 ? "" : $", app_protocol: {appProtocol}";
        await using ComposeProject project = host.Project($$"""
            services:
              mail:
                command: {{App.TcpEcho("220-ready")}}
                ports:
                  - { target: 25, published: {{port}}{{protocol}} }
            """, "greeted");
        await project.UpAsync();

        using RawHttp raw = await RawHttp.ConnectAsync(port);
        (await raw.ReadTextAsync(10)).ShouldBe("220-ready\n");
        await raw.SendAsync("HELO\n");
        (await raw.ReadTextAsync(5)).ShouldBe("HELO\n");
    }

    [Fact]
    public async Task A_tunnel_lives_through_changes_of_other_services()
    {
        int port = FreePorts.Next();
        int other = FreePorts.Next();
        string Yaml(string version) => $$"""
            services:
              socket:
                command: {{App.UpgradeEcho}}
                ports: ["{{port}}:80"]
              web:
                command: {{App.Whoami}}
                environment: { VERSION: "{{version}}" }
                ports: ["{{other}}:80"]
            """;
        await using ComposeProject project = host.Project(Yaml("one"), "lasting");
        await project.UpAsync();
        using RawHttp http = await RawHttp.ConnectAsync(port);
        await http.SendAsync(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        (await http.ReadAnswerAsync()).Status.ShouldBe(101);

        project.Write(Yaml("two"));
        await project.UpAsync();
        (await project.RunAsync("scale", "web=2")).ShouldSucceed();

        await http.SendAsync("still here");
        (await http.ReadTextAsync(10)).ShouldBe("still here");
    }
}
