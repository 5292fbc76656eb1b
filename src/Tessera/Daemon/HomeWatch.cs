using Tessera.Api;

namespace Tessera.Daemon;

/// <summary>
/// Notices that somebody deleted the state folder under the daemon, and makes it again: lock,
/// socket and the desired state. A daemon that nobody can reach would go on holding ports that no
/// command could free. Threading: its own loop, until it is disposed.
/// </summary>
/// <param name="serve">Begins to listen on the control socket once more.</param>
/// <param name="save">Writes everything that is kept on disk.</param>
internal sealed class HomeWatch(
    TesseraHome home, DaemonLock held, Func<Task<ControlServer>> serve, Func<Task> save,
    Action<string> log, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _end = new();
    private Task _watching = Task.CompletedTask;
    private ControlServer? _server;
    private bool _isTold;

    public void Begin() => _watching = WatchAsync();

    /// <summary>Ends the watch; what it listens on is stopped with it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        _end.Dispose();
    }

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(_end.Token))
        {
            if (!held.IsLost)
            {
                continue;
            }

            try
            {
                await RestoreAsync();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Tell($"{home.Path} was deleted and cannot be made again: {e.Message}");
            }
        }
    }

    private async Task RestoreAsync()
    {
        Directory.CreateDirectory(home.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite
            | UnixFileMode.UserExecute);
        if (!held.TryTakeAgain())
        {
            Tell($"{home.Path} was deleted, and another daemon owns it now; this one "
                + $"(pid {Environment.ProcessId}) cannot be reached: end it by SIGTERM");
            return;
        }

        ControlServer? before = _server;
        _server = await serve();
        await save();
        _isTold = false;
        log($"{home.Path} was deleted and has been made again; what instances wrote before is "
            + "lost, and `tessera restart` lets their output be kept again");
        if (before is not null)
        {
            await before.DisposeAsync();
        }
    }

    /// <summary>Once, not every second.</summary>
    private void Tell(string text)
    {
        if (!_isTold)
        {
            _isTold = true;
            log(text);
        }
    }
}
