namespace Tessera.Api;

/// <summary>What a request of the control API does, as far as a hand-over is concerned.</summary>
internal enum RequestKind
{
    /// <summary>Asks whether a daemon is there: it waits for a new one only.</summary>
    Status,

    Reading,

    /// <summary>A hand-over waits for its end.</summary>
    Change,
}

/// <summary>
/// Lets requests of the control API pass, wait while a hand-over is under way, or tells them to ask
/// the daemon that took over. Safe from any thread.
/// </summary>
internal sealed class ControlGate
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _opening;
    private TaskCompletionSource? _emptying;
    private int _changes;
    private bool _isStatusHeld;
    private bool _isRetired;

    /// <summary>
    /// Passes when the gate is open; false when another daemon answers now. A change that passed
    /// has to <see cref="Leave"/>.
    /// </summary>
    public async Task<bool> EnterAsync(RequestKind kind, CancellationToken cancellation)
    {
        while (true)
        {
            Task opening;
            lock (_lock)
            {
                if (_isRetired)
                {
                    return false;
                }

                if (_opening is null || (kind == RequestKind.Status && !_isStatusHeld))
                {
                    _changes += kind == RequestKind.Change ? 1 : 0;
                    return true;
                }

                opening = _opening.Task;
            }

            await opening.WaitAsync(cancellation);
        }
    }

    /// <summary>A change has ended.</summary>
    public void Leave()
    {
        lock (_lock)
        {
            if (--_changes == 0)
            {
                _emptying?.TrySetResult();
                _emptying = null;
            }
        }
    }

    /// <summary>Whoever comes from now on waits. Completes when no change is under way.</summary>
    /// <param name="holdsStatus">Also who only asks whether a daemon is there.</param>
    public Task CloseAsync(bool holdsStatus)
    {
        lock (_lock)
        {
            _isStatusHeld = holdsStatus;
            _opening ??= New();
            return _changes == 0 ? Task.CompletedTask : (_emptying ??= New()).Task;
        }
    }

    /// <summary>Whoever waits passes.</summary>
    public void Open()
    {
        lock (_lock)
        {
            _opening?.TrySetResult();
            _opening = null;
        }
    }

    /// <summary>Whoever waits, or comes later, is to ask again.</summary>
    public void Retire()
    {
        lock (_lock)
        {
            _isRetired = true;
            _opening?.TrySetResult();
        }
    }

    private static TaskCompletionSource New() =>
        new(TaskCreationOptions.RunContinuationsAsynchronously);
}
