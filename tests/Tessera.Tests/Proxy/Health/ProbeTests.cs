using System.Collections.Concurrent;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Health;

public sealed class ProbeTests
{
    private static readonly HealthProbeConfig Probe = new()
    {
        Path = "/health",
        IntervalMs = 100,
        TimeoutMs = 1_000,
        Rises = 2,
        Falls = 2,
        MinHealthyPercent = 0,
    };

    private readonly ConcurrentQueue<string> _log = new();

    [Fact]
    public async Task Takes_out_what_answers_the_wrong_status_and_brings_it_back()
    {
        int status = 200;
        string question = "";
        using ScriptedServer first = ScriptedServer.Reply(head =>
        {
            bool isProbe = head.StartsWith("GET /health ", StringComparison.Ordinal);
            question = isProbe ? head : question;
            return $"HTTP/1.1 {(isProbe ? status : 200)} X\r\nContent-Length: 5\r\n\r\nfirst";
        });
        using ScriptedServer second = ScriptedServer.Named("second");
        await using ProxyFixture proxy = Start([first, second], Probe);
        await Eventually.BecomesTrueAsync(() => question.Length > 0);
        question.ShouldContain($"\r\nHost: {first.Address}\r\n");
        question.ShouldContain("\r\nConnection: close\r\n");
        (await AnswersAsync(proxy)).ShouldBe(["first", "second"]);

        status = 503;
        await Eventually.BecomesTrueAsync(
            () => proxy.Status("web-1").Health.State == HealthState.FailingProbe);
        proxy.Status("web-1").Health.Reason.ShouldBe("/health answered 503");
        proxy.Status("web-2").Health.State.ShouldBe(HealthState.Well);
        (await AnswersAsync(proxy)).ShouldBe(["second"]);

        status = 204;
        await Eventually.BecomesTrueAsync(
            () => proxy.Status("web-1").Health.State == HealthState.Well);
        (await AnswersAsync(proxy)).ShouldBe(["first", "second"]);
        _log.ShouldContain(line => line.EndsWith(
            "backend web: endpoint web-1 fails its probe: /health answered 503",
            StringComparison.Ordinal));
        _log.ShouldContain(line => line.EndsWith(
            "backend web: endpoint web-1 passes its probe",
            StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nall is well", true)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nall is well", true)]
    [InlineData("HTTP/1.1 103 X\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\nis well", true)]
    [InlineData(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nis w\r\n3\r\nell\r\n0\r\n\r\n",
        true)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nis well", false)]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nis w ell", false)]
    [InlineData("HTTP/1.1 404 No\r\n\r\nis well", false)]
    [InlineData("HTP/1.1 200 OK\r\n\r\nis well", false)]
    [InlineData("", false)]
    public async Task Looks_into_the_body(string answer, bool isWell)
    {
        using ScriptedServer first = ScriptedServer.Start(async connection =>
        {
            string head = await connection.ReadHeadAsync();
            if (head.StartsWith("GET /health", StringComparison.Ordinal))
            {
                // In pieces, so that the text is cut everywhere.
                foreach (string piece in answer.Chunk(7).Select(c => new string(c)))
                {
                    await connection.SendAsync(piece);
                    await Task.Yield();
                }
            }
        });
        using ScriptedServer second = ScriptedServer.Named("is well");
        await using ProxyFixture proxy =
            Start([first, second], Probe with { BodyContains = "is well" });
        await Eventually.BecomesTrueAsync(() => first.ConnectionCount >= 3);
        proxy.Status("web-1").Health.State.ShouldBe(
            isWell ? HealthState.Well : HealthState.FailingProbe);
        proxy.Status("web-2").Health.State.ShouldBe(HealthState.Well);
    }

    [Fact]
    public async Task Connects_and_asks_no_more_where_that_is_all_that_is_wanted()
    {
        using ScriptedServer silent = ScriptedServer.Start(c => c.ReadToEndAsync());
        await using ProxyFixture proxy = ProxyFixture.Start(
            [silent.Address, ScriptedServer.UnusedAddress()],
            Options(),
            b => b with { Probe = Probe with { Kind = HealthProbeKind.Tcp } });
        await Eventually.BecomesTrueAsync(
            () => proxy.Status("web-2").Health.State == HealthState.FailingProbe);
        proxy.Status("web-2").Health.Reason.ShouldBe("connect: connection refused");
        await Eventually.BecomesTrueAsync(() => silent.ConnectionCount >= 3);
        proxy.Status("web-1").Health.State.ShouldBe(HealthState.Well);
    }

    [Fact]
    public async Task Gives_up_on_an_endpoint_that_never_ends_its_answer()
    {
        using ScriptedServer slow = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            while (true)
            {
                await connection.SendAsync("HTTP/1.1 103 Wait\r\n\r\n");
                await Task.Delay(20);
            }
        });
        await using ProxyFixture proxy = Start([slow], Probe with { TimeoutMs = 200 });
        await Eventually.BecomesTrueAsync(
            () => proxy.Status("web-1").Health.State == HealthState.FailingProbe);
        proxy.Status("web-1").Health.Reason.ShouldBe("answer: nothing within 200 ms");
    }

    [Fact]
    public async Task Uses_all_when_too_few_are_well_and_says_so_once()
    {
        bool isWell = false;
        string Answer(string name, bool isFine) =>
            $"HTTP/1.1 {(isFine ? 200 : 500)} X\r\nContent-Length: {name.Length}\r\n\r\n{name}";
        using ScriptedServer a = ScriptedServer.Reply(_ => Answer("a", isFine: true));
        using ScriptedServer b = ScriptedServer.Reply(_ => Answer("b", isWell));
        using ScriptedServer c = ScriptedServer.Reply(_ => Answer("c", isFine: false));
        await using ProxyFixture proxy = Start([a, b, c], Probe with { MinHealthyPercent = 50 });
        await Eventually.BecomesTrueAsync(() => b.ConnectionCount >= 4 && c.ConnectionCount >= 4);
        (await AnswersAsync(proxy)).ShouldBe(["a", "b", "c"]);
        _log.Count(l => l.EndsWith("all are used", StringComparison.Ordinal)).ShouldBe(1);

        isWell = true;
        await Eventually.BecomesTrueAsync(
            () => proxy.Status("web-2").Health.State == HealthState.Well);
        (await AnswersAsync(proxy)).ShouldBe(["a", "b"]);
    }

    [Fact]
    public async Task Serves_by_endpoints_that_fail_when_there_is_no_other()
    {
        using ScriptedServer server = ScriptedServer.Named("only");
        await using ProxyFixture proxy = Start([server], Probe with { MinStatus = 300 });
        await Eventually.BecomesTrueAsync(
            () => proxy.Status("web-1").Health.State == HealthState.FailingProbe);
        (await proxy.GetAsync()).ShouldBe("only");
    }

    [Fact]
    public async Task A_held_request_is_woken_by_an_endpoint_that_passes_again()
    {
        bool isWell = false;
        var release = new TaskCompletionSource();
        using ScriptedServer dying = Scripted(c => Task.CompletedTask);
        using ScriptedServer busy = Scripted(async connection =>
        {
            await release.Task;
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbusy");
        });
        using ScriptedServer back = ScriptedServer.Reply(head =>
            $"HTTP/1.1 {(isWell || !IsProbe(head) ? 200 : 500)} X\r\n"
            + "Content-Length: 4\r\n\r\nback");
        await using ProxyFixture proxy = Start([busy], Probe);
        Task<string> first = proxy.GetAsync();
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 1);
        proxy.SetEndpoints(
            ProxyFixture.Endpoint("web-1", busy.Address) with { MaxConnections = 1 },
            ProxyFixture.Endpoint("web-2", dying.Address),
            ProxyFixture.Endpoint("web-3", back.Address));
        await Eventually.BecomesTrueAsync(
            () => proxy.Status("web-2").Health.State == HealthState.Well
            && proxy.Status("web-3").Health.Reason == "/health answered 500");

        // It was to the one that dies, waits for the one that is busy, and may not go to the one
        // that fails its probe.
        Task<string> second = proxy.GetAsync();
        await Eventually.BecomesTrueAsync(() => proxy.Server.GetStatus()[0].Held == 1);
        isWell = true;
        (await second.WaitAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken))
            .ShouldBe("back");
        first.IsCompleted.ShouldBeFalse();
        release.SetResult();
        (await first).ShouldBe("busy");
    }

    [Fact]
    public async Task A_request_does_not_wait_for_room_where_it_may_not_go()
    {
        using ScriptedServer dying = Scripted(c => Task.CompletedTask);
        using ScriptedServer sick = ScriptedServer.Reply(
            _ => "HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\nsick");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [dying.Address, sick.Address],
            Options(),
            b => b with
            {
                Probe = Probe,
                Endpoints = [.. b.Endpoints.Select(e => e with { MaxConnections = 4 })],
            });
        await Eventually.BecomesTrueAsync(
            () => proxy.Status("web-2").Health.State == HealthState.FailingProbe);
        string answer = await proxy.GetAsync().WaitAsync(
            TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
        answer.ShouldStartWith("502 ");
    }

    [Fact]
    public async Task Lets_a_new_endpoint_pass_once_before_it_is_used()
    {
        var mayPass = new TaskCompletionSource();
        using ScriptedServer first = ScriptedServer.Named("first");
        using ScriptedServer second = ScriptedServer.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is { Length: > 0 })
            {
                await mayPass.Task;
                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond");
            }
        });
        await using ProxyFixture proxy = Start([first], Probe with { TimeoutMs = 5_000 });
        await Eventually.BecomesTrueAsync(() => first.ConnectionCount > 0);
        proxy.SetEndpoints(
            ProxyFixture.Endpoint("web-1", first.Address),
            ProxyFixture.Endpoint("web-2", second.Address));
        (await AnswersAsync(proxy)).ShouldBe(["first"]);
        proxy.Status("web-2").Health.Reason.ShouldBe("it has not been asked yet");
        mayPass.SetResult();
        await Eventually.BecomesTrueAsync(
            () => proxy.Status("web-2").Health.State == HealthState.Well);
        (await AnswersAsync(proxy)).ShouldBe(["first", "second"]);
    }

    [Fact]
    public async Task Asks_no_more_once_the_endpoint_or_the_probe_is_gone()
    {
        using ScriptedServer first = ScriptedServer.Named("first");
        using ScriptedServer second = ScriptedServer.Named("second");
        await using ProxyFixture proxy = Start([first, second], Probe);
        await Eventually.BecomesTrueAsync(
            () => first.ConnectionCount > 0 && second.ConnectionCount > 0);
        proxy.SetEndpoints(ProxyFixture.Endpoint("web-1", first.Address));
        await AsksNoMoreAsync(second, first);
        proxy.Apply(proxy.Backend with { Probe = null });
        using ScriptedServer third = ScriptedServer.Named("third");
        await using ProxyFixture other = Start([third], Probe);
        await AsksNoMoreAsync(first, third);
    }

    /// <summary>
    /// While one server is asked five times more, the other may be once: it was on its way.
    /// </summary>
    private static async Task AsksNoMoreAsync(ScriptedServer gone, ScriptedServer asked)
    {
        int before = gone.ConnectionCount;
        int until = asked.ConnectionCount + 5;
        await Eventually.BecomesTrueAsync(() => asked.ConnectionCount >= until);
        gone.ConnectionCount.ShouldBeLessThanOrEqualTo(before + 1);
    }

    private static bool IsProbe(string head) =>
        head.StartsWith("GET /health ", StringComparison.Ordinal);

    /// <summary>Passes its probe; any other request is the script's, and the last.</summary>
    private static ScriptedServer Scripted(Func<ScriptedConnection, Task> script) =>
        ScriptedServer.Start(async connection =>
        {
            if (IsProbe(await connection.ReadHeadAsync()))
            {
                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                return;
            }

            await script(connection);
        });

    private static async Task<string[]> AnswersAsync(ProxyFixture proxy)
    {
        var answers = new SortedSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < 6; i++)
        {
            answers.Add(await proxy.GetAsync());
        }

        return [.. answers];
    }

    private ProxyFixture Start(ScriptedServer[] servers, HealthProbeConfig probe) =>
        ProxyFixture.Start(
            servers.Select(s => s.Address), Options(), b => b with { Probe = probe });

    private ProxyOptions Options() => new() { Reactors = 2, ErrorLog = _log.Enqueue };
}
