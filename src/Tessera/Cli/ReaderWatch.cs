namespace Tessera.Cli;

/// <summary>
/// Ends a command that follows something for somebody who has left: until there is a line to write,
/// no write can fail. One use by one command; looks from a timer's thread.
/// </summary>
internal sealed class ReaderWatch : IDisposable
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource _end;
    private readonly ITimer _timer;

    public ReaderWatch(Session session)
    {
        Caller caller = session.Caller;
        _end = CancellationTokenSource.CreateLinkedTokenSource(session.Cancellation);
        _timer = caller.Time.CreateTimer(
            _ => Look(caller.IsReaderGone), null, LookInterval, LookInterval);
    }

    /// <summary>Cancelled when the reader has left, or by the first Ctrl-C.</summary>
    public CancellationToken Token => _end.Token;

    public bool IsReaderGone { get; private set; }

    public void Dispose()
    {
        _timer.Dispose();
        _end.Dispose();
    }

    private void Look(Func<bool> isReaderGone)
    {
        if (!isReaderGone())
        {
            return;
        }

        IsReaderGone = true;
        try
        {
            _end.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The command ended while the timer fired.
        }
    }
}
