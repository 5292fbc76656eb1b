using System.Collections.Concurrent;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Health;

/// <summary>What the traffic itself shows of endpoints, over real connections.</summary>
public sealed class TrafficHealthTests
{
    private readonly ConcurrentQueue<string> _log = new();

    [Fact]
    public async Task Avoids_what_refuses_until_one_request_finds_it_well_again()
    {
        using ScriptedServer other = ScriptedServer.Named("other");
        int port = ScriptedServer.UnusedAddress().Port;
        await using ProxyFixture proxy = ProxyFixture.Start(
            [new(System.Net.IPAddress.Loopback, port), other.Address],
            Options(),
            b => b with
            {
                Endpoints = [.. b.Endpoints.Select(e => e with { FailTimeoutMs = 300 })],
            });
        (await proxy.GetAsync()).ShouldBe("other");
        (await proxy.GetAsync()).ShouldBe("other");
        HealthStatus status = proxy.Status("web-1").Health;
        status.State.ShouldBe(HealthState.Avoided);
        status.Reason.ShouldBe("the server could not be reached");
        status.Since.ShouldBeGreaterThan(DateTimeOffset.UtcNow.AddMinutes(-1));
        proxy.Status("web-1").Requests.ShouldBe(1);

        // An answer that is an error is an answer.
        using ScriptedServer back = ScriptedServer.Reply(
            _ => "HTTP/1.1 500 Bad\r\nContent-Length: 4\r\n\r\nback", port);
        string[] answers = [];
        while (!answers.Contains("back"))
        {
            answers = [.. answers, await proxy.GetAsync()];
            answers.Length.ShouldBeLessThan(10_000);
        }

        proxy.Status("web-1").Health.State.ShouldBe(HealthState.Well);
        _log.ShouldContain(line => line.EndsWith(
            "backend web: endpoint web-1 gets requests again: it answers again",
            StringComparison.Ordinal));
    }

    [Fact]
    public async Task Ejects_what_answers_with_errors_and_keeps_the_rest()
    {
        using ScriptedServer bad = ScriptedServer.Reply(
            _ => "HTTP/1.1 500 Bad\r\nContent-Length: 3\r\n\r\nbad");
        using ScriptedServer good = ScriptedServer.Named("good");
        await using ProxyFixture proxy = Start([bad, good]);
        string[] answers = new string[40];
        for (int i = 0; i < answers.Length; i++)
        {
            answers[i] = await proxy.GetAsync();
        }

        answers.Count(a => a == "bad").ShouldBe(5);
        proxy.Status("web-1").Health.State.ShouldBe(HealthState.Ejected);
        proxy.Status("web-1").Health.Reason.ShouldBe("5 failures in a row");
        _log.ShouldContain(line => line.EndsWith(
            "backend web: endpoint web-1 is ejected for 30 s: 5 failures in a row",
            StringComparison.Ordinal));
    }

    [Fact]
    public async Task Keeps_the_last_endpoint_however_it_fails_and_says_so_once()
    {
        using ScriptedServer bad = ScriptedServer.Reply(
            _ => "HTTP/1.1 500 Bad\r\nContent-Length: 3\r\n\r\nbad");
        await using ProxyFixture proxy = Start([bad, bad]);
        for (int i = 0; i < 40; i++)
        {
            (await proxy.GetAsync()).ShouldBe("bad");
        }

        proxy.Server.GetStatus()[0].Endpoints.Count(e => e.Health.State == HealthState.Ejected)
            .ShouldBe(1);
        _log.Count(l => l.Contains("but is kept", StringComparison.Ordinal)).ShouldBe(1);
    }

    private ProxyFixture Start(ScriptedServer[] servers) => ProxyFixture.Start(
        servers.Select(s => s.Address),
        Options(),
        b => b with { Outlier = new OutlierConfig() });

    private ProxyOptions Options() => new() { Reactors = 2, ErrorLog = _log.Enqueue };
}
