using Shouldly;
using Tessera.Daemon;
using Tessera.Stack;
using Xunit;

namespace Tessera.Tests.Daemon;

public sealed class CommandQueueTests : IDisposable
{
    private int _idle;
    private readonly CommandQueue _commands;

    public CommandQueueTests() =>
        _commands = new CommandQueue(() => Interlocked.Increment(ref _idle));

    public void Dispose() => _commands.Dispose();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private Task<List<Progress>> RunAsync(
        string? project, Func<CancellationToken, Task> work, CancellationToken? token = null) =>
        _commands.RunAsync(project, async (tell, t) =>
        {
            tell(new Progress(ProgressKind.Started, project ?? "", "begun"));
            await work(t);
        }, token ?? Cancellation).ToListAsync(Cancellation).AsTask();

    [Fact]
    public async Task Lets_one_command_at_a_time_change_a_project()
    {
        var first = new TaskCompletionSource();
        Task<List<Progress>> one = RunAsync("a", _ => first.Task);
        Task<List<Progress>> two = RunAsync("a", _ => Task.CompletedTask);
        await RunAsync("b", _ => Task.CompletedTask);
        await RunAsync(null, _ => Task.CompletedTask);
        two.IsCompleted.ShouldBeFalse();
        first.SetResult();
        await one;
        (await two).Select(p => p.Kind).ShouldBe([ProgressKind.Warning, ProgressKind.Started]);
    }

    [Fact]
    public async Task Tells_when_the_last_command_has_ended()
    {
        var first = new TaskCompletionSource();
        Task one = RunAsync("a", _ => first.Task);
        await RunAsync("b", _ => Task.CompletedTask);
        _idle.ShouldBe(0);
        first.SetResult();
        await one;
        _idle.ShouldBe(1);
    }

    [Fact]
    public async Task Passes_a_failure_on_after_what_was_told()
    {
        Task failing = RunAsync("a", _ => throw new UserErrorException("no"));
        (await Should.ThrowAsync<UserErrorException>(failing)).Message.ShouldBe("no");
        await RunAsync("a", _ => Task.CompletedTask);
    }

    [Fact]
    public async Task Begins_nothing_once_the_daemon_ends_and_waits_for_what_is_under_way()
    {
        var finish = new TaskCompletionSource();
        var cancelled = new TaskCompletionSource();
        Task one = RunAsync("a", async token =>
        {
            using CancellationTokenRegistration registration =
                token.Register(() => cancelled.TrySetResult());
            await finish.Task;
        });
        Task end = _commands.EndAsync();
        await Should.ThrowAsync<UserErrorException>(RunAsync("b", _ => Task.CompletedTask));
        await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(10), Cancellation);
        end.IsCompleted.ShouldBeFalse();
        finish.SetResult();
        await end;
        await one;
    }
}
