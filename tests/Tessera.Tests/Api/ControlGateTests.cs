using System.Collections.Immutable;
using Shouldly;
using Tessera.Api;
using Tessera.Stack;
using Tessera.Stack.Engines;
using Xunit;

namespace Tessera.Tests.Api;

/// <summary>What clients see of a control server while its daemon is being replaced.</summary>
public sealed class ControlGateTests : IAsyncLifetime
{
    private static readonly ChangeRequest Restart = new(
        ChangeKind.Restart, "a", [], ImmutableSortedDictionary<string, int>.Empty);

    private readonly TemporaryHome _folder = new();
    private readonly FakeController _old = new();
    private readonly FakeController _new = new();
    private ControlServer _server = null!;
    private RemoteController _client = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await ControlServer.StartAsync(_folder.Home, _old, _ => { }, Token);
        _client = new RemoteController(_folder.Home);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_pause_waits_for_the_change_under_way_and_holds_the_next()
    {
        Task<int> first = CountAsync();
        await UntilAsync(() => _old.Requests.Count == 1);
        Task paused = _server.PauseAsync();
        Task<int> second = CountAsync();
        (await _client.GetDaemonAsync(Token)).Version.ShouldBe("1.2.3");
        paused.IsCompleted.ShouldBeFalse();

        _old.ProgressWriter.Complete();
        await paused;
        (await first).ShouldBe(0);
        _old.Requests.Count.ShouldBe(1);
        _server.Resume();
        await second;
        _old.Requests.Count.ShouldBe(2);
    }

    [Fact]
    public async Task What_waited_is_done_by_the_daemon_that_took_over()
    {
        await _server.PauseAsync();
        Task<int> change = CountAsync();
        Task<ImmutableArray<InstanceView>> list = _client.ListAsync(null, Token);
        await using ControlServer next = await ControlServer.StartAsync(
            _folder.Home, _new, _ => { }, Token, isPaused: true);
        _server.Retire();
        next.Resume();
        _new.ProgressWriter.Complete();

        await change;
        await list;
        _old.Requests.ShouldBeEmpty();
        _new.Requests.Count.ShouldBe(2, "the change and the list");
        await _server.StopAsync(TimeSpan.FromSeconds(1));
        File.Exists(_folder.Home.ControlSocket).ShouldBeTrue("it is the new one's");
    }

    [Fact]
    public async Task A_follower_is_told_why_its_stream_ends()
    {
        await using IAsyncEnumerator<LogLine> lines =
            _client.LogsAsync(new LogQuery("a", [], Follow: true), Token)
                .GetAsyncEnumerator(Token);
        ValueTask<bool> next = lines.MoveNextAsync();
        await UntilAsync(() => _old.Requests.Count == 1);
        _server.EndReaders("replaced");
        UserErrorException end = await Should.ThrowAsync<UserErrorException>(
            async () => await next);
        end.Message.ShouldBe("replaced");
    }

    private async Task<int> CountAsync()
    {
        int count = 0;
        await foreach (Progress _ in _client.ChangeAsync(Restart, Token))
        {
            count++;
        }

        return count;
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Delay(5, Token);
        }
    }
}
