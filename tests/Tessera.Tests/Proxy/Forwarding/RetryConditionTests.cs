using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

public sealed class RetryConditionTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";

    private const string Post =
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";

    [Theory]
    [InlineData(500, RetryConditions.Http500)]
    [InlineData(502, RetryConditions.Http502)]
    [InlineData(503, RetryConditions.Http503)]
    [InlineData(504, RetryConditions.Http504)]
    [InlineData(403, RetryConditions.Http403)]
    [InlineData(404, RetryConditions.Http404)]
    [InlineData(429, RetryConditions.Http429)]
    public async Task Goes_on_to_another_endpoint_by_status(int status, RetryConditions condition)
    {
        using ScriptedServer bad = Answering(status);
        using ScriptedServer good = ScriptedServer.Named("good");
        await using ProxyFixture proxy = Start([bad, good], condition, maxFails: 0);
        for (int i = 0; i < 4; i++)
        {
            (await proxy.ExchangeAsync(Get)).ShouldEndWith("good");
        }

        bad.ConnectionCount.ShouldBe(2);
        proxy.Apply(proxy.Backend with { Retry = RetryConfig.Default });
        string[] answers = [await proxy.ExchangeAsync(Get), await proxy.ExchangeAsync(Get)];
        answers.ShouldContain(a => a.StartsWith($"HTTP/1.1 {status} ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Passes_the_last_answer_on_when_no_endpoint_is_left()
    {
        using ScriptedServer first = Answering(503);
        using ScriptedServer second = Answering(503);
        await using ProxyFixture proxy = Start([first, second], RetryConditions.Http503);
        (await proxy.ExchangeAsync(Get)).ShouldEndWith("\r\n\r\nfrom 503");
        (first.ConnectionCount + second.ConnectionCount).ShouldBe(2);
        proxy.Status("web-1").InFlight.ShouldBe(0);
        proxy.Status("web-2").InFlight.ShouldBe(0);
    }

    [Theory]
    [InlineData(503, RetryConditions.Http503, HealthState.Avoided)]
    [InlineData(404, RetryConditions.Http404, HealthState.Well)]
    [InlineData(503, RetryConditions.Error, HealthState.Well)]
    public async Task Holds_a_status_against_its_endpoint_as_nginx_does(
        int status, RetryConditions condition, HealthState state)
    {
        using ScriptedServer bad = Answering(status);
        using ScriptedServer good = ScriptedServer.Named("good");
        await using ProxyFixture proxy = Start([bad, good], condition);
        await proxy.ExchangeAsync(Get);
        await proxy.ExchangeAsync(Get);
        proxy.Status("web-1").Health.State.ShouldBe(state);
    }

    [Theory]
    [InlineData(RetryConditions.Http503, 1)]
    [InlineData(RetryConditions.Http503 | RetryConditions.NonIdempotent, 2)]
    public async Task Sends_a_post_twice_only_when_told_that_it_may(
        RetryConditions on, int requests)
    {
        using ScriptedServer first = Answering(503);
        using ScriptedServer second = Answering(503);
        await using ProxyFixture proxy = Start([first, second], on);
        (await proxy.ExchangeAsync(Post)).ShouldStartWith("HTTP/1.1 503 ");
        (first.ConnectionCount + second.ConnectionCount).ShouldBe(requests);
    }

    [Fact]
    public async Task Does_not_go_on_when_it_is_told_not_to()
    {
        using ScriptedServer good = ScriptedServer.Named("good");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [ScriptedServer.UnusedAddress(), good.Address],
            backend: b => b with { Retry = new RetryConfig { On = RetryConditions.None } });
        (await proxy.ExchangeAsync(Get)).ShouldStartWith("HTTP/1.1 502 ");
        good.ConnectionCount.ShouldBe(0);
    }

    [Theory]
    [InlineData(RetryConditions.Timeout, "200")]
    [InlineData(RetryConditions.Error, "504")]
    public async Task Goes_on_after_silence_when_told_to(RetryConditions on, string status)
    {
        using ScriptedServer silent = ScriptedServer.Start(c => c.ReadToEndAsync());
        using ScriptedServer good = ScriptedServer.Named("good");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [silent.Address, good.Address],
            backend: b => b with
            {
                Retry = new RetryConfig { On = on },
                Limits = new BackendLimits { ReadTimeoutMs = 200 },
            });
        (await proxy.ExchangeAsync(Get)).ShouldStartWith($"HTTP/1.1 {status} ");
    }

    [Theory]
    [InlineData(RetryConditions.InvalidHeader, "200")]
    [InlineData(RetryConditions.Error | RetryConditions.Timeout, "502")]
    public async Task Goes_on_after_what_is_no_http_when_told_to(
        RetryConditions on, string status)
    {
        using ScriptedServer bad = ScriptedServer.Reply(_ => "HTP/1.1 200 OK\r\n\r\n");
        using ScriptedServer good = ScriptedServer.Named("good");
        await using ProxyFixture proxy = Start([bad, good], on);
        (await proxy.ExchangeAsync(Get)).ShouldStartWith($"HTTP/1.1 {status} ");
    }

    [Fact]
    public async Task Forgets_half_an_answer_before_it_goes_on()
    {
        using ScriptedServer dying = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 500 Half\r\nContent-Length: 99\r\nX-");
        });
        using ScriptedServer good = ScriptedServer.Named("good");
        await using ProxyFixture proxy = ProxyFixture.Start([dying.Address, good.Address]);
        string answer = await proxy.ExchangeAsync(Get);
        answer.ShouldStartWith("HTTP/1.1 200 OK\r\n");
        answer.ShouldContain("\r\nContent-Length: 4\r\n");
        answer.ShouldEndWith("good");
    }

    [Fact]
    public async Task Begins_no_try_after_the_time_for_them()
    {
        using ScriptedServer slow = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await Task.Delay(300);
            await connection.SendAsync("HTTP/1.1 503 Late\r\nContent-Length: 4\r\n\r\nlate");
        });
        using ScriptedServer good = ScriptedServer.Named("good");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [slow.Address, good.Address],
            backend: b => b with
            {
                Retry = new RetryConfig { On = RetryConditions.Http503, TimeoutMs = 100 },
            });
        (await proxy.ExchangeAsync(Get)).ShouldEndWith("late");
    }

    [Fact]
    public async Task Does_not_wait_for_news_of_an_endpoint_that_is_silent()
    {
        using ScriptedServer silent = ScriptedServer.Start(c => c.ReadToEndAsync());
        await using ProxyFixture proxy = ProxyFixture.Start(
            [silent.Address],
            backend: b => b with
            {
                IsManaged = true,
                Limits = new BackendLimits { ReadTimeoutMs = 200 },
            });
        (await proxy.ExchangeAsync(Get)).ShouldStartWith("HTTP/1.1 504 ");
        silent.ConnectionCount.ShouldBe(1);
    }

    [Fact]
    public async Task Does_not_multiply_an_outage_beyond_the_budget()
    {
        using ScriptedServer first = Answering(503);
        using ScriptedServer second = Answering(503);
        await using ProxyFixture proxy = ProxyFixture.Start(
            [first.Address, second.Address],
            backend: b => b with
            {
                Retry = new RetryConfig { On = RetryConditions.Http503, BudgetPercent = 20 },
            });
        const int Requests = 300;
        using ScriptedConnection client = await proxy.ConnectAsync();
        long startMs = Environment.TickCount64;
        for (int i = 0; i < Requests; i++)
        {
            await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            (await client.ReadResponseAsync()).Head.ShouldStartWith("HTTP/1.1 503 ");
        }

        long seconds = ((Environment.TickCount64 - startMs) / 1_000) + 2;
        long tries = proxy.Server.GetStatus()[0].Endpoints.Sum(e => e.Requests);
        tries.ShouldBeGreaterThan(Requests);
        tries.ShouldBeLessThanOrEqualTo(Requests + (Requests / 5) + (10 * seconds));
    }

    private static ScriptedServer Answering(int status)
    {
        string body = $"from {status}";
        return ScriptedServer.Reply(_ =>
            $"HTTP/1.1 {status} X\r\nContent-Length: {body.Length}\r\n\r\n{body}");
    }

    private static ProxyFixture Start(
        ScriptedServer[] servers, RetryConditions on, int maxFails = 1) => ProxyFixture.Start(
        servers.Select(s => s.Address),
        backend: b => b with
        {
            Retry = new RetryConfig { On = on },
            Endpoints = [.. b.Endpoints.Select(e => e with { MaxFails = maxFails })],
        });
}
