using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Tessera.Stack;

namespace Tessera.Daemon;

/// <summary>
/// The commands that are under way: one at a time changes a project, the next waits; none begins
/// once the daemon ends. Safe from any thread.
/// </summary>
/// <param name="onIdle">Called whenever the last command has ended.</param>
internal sealed class CommandQueue(Action onIdle) : IDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Turn> _turns = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _ending = new();
    private int _running;

    private sealed class Turn
    {
        public SemaphoreSlim Gate { get; } = new(1);
        public int Users { get; set; }
    }

    /// <summary>
    /// Runs <paramref name="work"/> and yields what it tells while it runs; its exception comes at
    /// the end. What it tells is bounded by its plan, so nothing it tells is ever dropped.
    /// </summary>
    /// <param name="project">It runs alone on this project; null runs beside everything.</param>
    /// <exception cref="UserErrorException">The daemon ends.</exception>
    public async IAsyncEnumerable<Progress> RunAsync(
        string? project, Func<Action<Progress>, CancellationToken, Task> work,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        var told = Channel.CreateUnbounded<Progress>();
        Task running = RunAsync(project, work, told.Writer, cancellation);
        await foreach (Progress progress in told.Reader.ReadAllAsync(CancellationToken.None))
        {
            yield return progress;
        }

        await running;
    }

    /// <summary>
    /// Lets no command begin any more, and waits until those under way have ended: operations that
    /// have begun finish, no further one begins.
    /// </summary>
    public async Task EndAsync()
    {
        await _ending.CancelAsync();
        while (Volatile.Read(ref _running) > 0)
        {
            await Task.Delay(PollInterval);
        }
    }

    /// <summary>Tells again that none is under way, if none is.</summary>
    public void NoteIdle()
    {
        if (Volatile.Read(ref _running) == 0)
        {
            onIdle();
        }
    }

    public void Dispose() => _ending.Dispose();

    private async Task RunAsync(
        string? project, Func<Action<Progress>, CancellationToken, Task> work,
        ChannelWriter<Progress> told, CancellationToken cancellation)
    {
        Interlocked.Increment(ref _running);
        try
        {
            using var either =
                CancellationTokenSource.CreateLinkedTokenSource(cancellation, _ending.Token);
            if (_ending.IsCancellationRequested)
            {
                throw new UserErrorException(
                    "the daemon is ending; run the command again", UserErrorException.Failed);
            }

            await RunInTurnAsync(
                project, token => work(p => told.TryWrite(p), token), told, either.Token);
        }
        catch (OperationCanceledException)
        {
            throw new UserErrorException("interrupted", UserErrorException.Failed);
        }
        finally
        {
            told.TryComplete();
            if (Interlocked.Decrement(ref _running) == 0)
            {
                onIdle();
            }
        }
    }

    private async Task RunInTurnAsync(
        string? project, Func<CancellationToken, Task> work, ChannelWriter<Progress> told,
        CancellationToken cancellation)
    {
        if (project is null)
        {
            await work(cancellation);
            return;
        }

        Turn turn = Join(project);
        try
        {
            if (!await turn.Gate.WaitAsync(0, cancellation))
            {
                told.TryWrite(new Progress(ProgressKind.Warning, "",
                    $"waiting for another command on project {project} to end"));
                await turn.Gate.WaitAsync(cancellation);
            }

            try
            {
                await work(cancellation);
            }
            finally
            {
                turn.Gate.Release();
            }
        }
        finally
        {
            Leave(project, turn);
        }
    }

    private Turn Join(string project)
    {
        lock (_lock)
        {
            if (!_turns.TryGetValue(project, out Turn? turn))
            {
                _turns[project] = turn = new Turn();
            }

            turn.Users++;
            return turn;
        }
    }

    private void Leave(string project, Turn turn)
    {
        lock (_lock)
        {
            if (--turn.Users == 0)
            {
                _turns.Remove(project);
                turn.Gate.Dispose();
            }
        }
    }
}
