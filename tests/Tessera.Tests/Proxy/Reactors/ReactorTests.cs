using Shouldly;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy;
using Tessera.Proxy.Reactors;
using Xunit;
using ReactorThread = Tessera.Proxy.Reactors.Reactor;

namespace Tessera.Tests.Proxy.Reactor;

public sealed class EpollReactorTests() : ReactorTests(PollerKind.Epoll);

public sealed class UringReactorTests() : ReactorTests(PollerKind.IoUring);

public abstract class ReactorTests : IDisposable
{
    private readonly List<Exception> _faults = [];
    private readonly ReactorThread _reactor;

    protected ReactorTests(PollerKind kind)
    {
        var buffers = new BufferPool(32 * 1_024, 256 * 1_024);
        var choice = new PollerChoice(new ProxyOptions { Poller = kind });
        _reactor = new ReactorThread(
            "test", choice.Create(buffers), buffers, mayAsk: true, _faults.Add);
        _reactor.Start();
    }

    public void Dispose()
    {
        _reactor.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Runs_what_is_posted_in_order_on_its_own_thread()
    {
        var done = new TaskCompletionSource<int[]>(
            TaskCreationOptions.RunContinuationsAsynchronously);
        var seen = new List<int>();
        for (int i = 0; i < 10_000; i++)
        {
            int number = i;
            _reactor.Post(() =>
            {
                _reactor.IsCurrentThread.ShouldBeTrue();
                seen.Add(number);
                if (number == 9_999)
                {
                    done.SetResult([.. seen]);
                }
            });
        }

        (await done.Task).ShouldBe(Enumerable.Range(0, 10_000));
    }

    [Fact]
    public async Task Survives_exceptions_and_reports_them()
    {
        _reactor.Post(() => throw new InvalidOperationException("first"));
        _reactor.Post(() => ThrowAfterAsync(0).Detach(_reactor));
        _reactor.Post(() => ThrowAfterAsync(30).Detach(_reactor));
        int answer = await RunAsync(() => AddAfterAsync(1, 2, 60));
        answer.ShouldBe(3);
        _faults.Select(f => f.Message).ShouldBe(["first", "after 0", "after 30"]);
    }

    [Fact]
    public async Task Expires_an_operation_that_nothing_completes()
    {
        SyscallResult result = await RunAsync(WaitAsync);
        result.Errno.ShouldBe(Errno.TimedOut);

        async ReactorTask<SyscallResult> WaitAsync()
        {
            var wait = new IoOperation(_reactor, handle: null);
            return await _reactor.Start(wait, IoKind.Wait, [], 0, 0, 50);
        }
    }

    [Fact]
    public async Task Cancels_an_operation_at_the_end_of_the_turn()
    {
        SyscallResult result = await RunAsync(WaitAsync);
        result.Errno.ShouldBe(Errno.Canceled);

        async ReactorTask<SyscallResult> WaitAsync()
        {
            var wait = new IoOperation(_reactor, handle: null);
            _ = _reactor.Start(wait, IoKind.Wait, [], 0, 0, 0);
            wait.Cancel();
            wait.IsCompleted.ShouldBeFalse();
            return await wait;
        }
    }

    [Fact]
    public async Task Passes_results_and_exceptions_through_nested_methods()
    {
        int depth = await RunAsync(() => NestAsync(50));
        depth.ShouldBe(50);
        (await Should.ThrowAsync<InvalidOperationException>(
            () => RunAsync(() => ThrowAfterAsync(10)))).Message.ShouldBe("after 10");
    }

    private async ReactorTask<int> NestAsync(int depth)
    {
        await _reactor.Yield(new IoOperation(_reactor, handle: null));
        return depth == 0 ? 0 : 1 + await NestAsync(depth - 1);
    }

    private async ReactorTask<int> AddAfterAsync(int a, int b, int delayMs)
    {
        var wait = new IoOperation(_reactor, handle: null);
        await _reactor.Start(wait, IoKind.Wait, [], 0, 0, delayMs);
        return a + b;
    }

    private async ReactorTask<int> ThrowAfterAsync(int delayMs)
    {
        if (delayMs > 0)
        {
            await AddAfterAsync(0, 0, delayMs);
        }

        throw new InvalidOperationException($"after {delayMs}");
    }

    private Task<T> RunAsync<T>(Func<ReactorTask<T>> method)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _reactor.Post(() => CompleteAsync().Detach(_reactor));
        return done.Task;

        async ReactorTask<bool> CompleteAsync()
        {
            try
            {
                done.SetResult(await method());
            }
            catch (Exception exception)
            {
                done.SetException(exception);
            }

            return true;
        }
    }
}
