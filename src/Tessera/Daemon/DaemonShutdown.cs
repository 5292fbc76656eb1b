namespace Tessera.Daemon;

/// <summary>
/// The end of the daemon: asked for once, by whoever is first. Safe from any thread.
/// </summary>
internal sealed class DaemonShutdown(bool onDemand)
{
    private readonly TaskCompletionSource<bool> _begun =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the daemon shall end; true when its instances live on.</summary>
    public Task<bool> Begun => _begun.Task;

    public void Begin(bool keepInstances) => _begun.TrySetResult(keepInstances);

    /// <summary>A daemon that a command started has no reason to stay without a project.</summary>
    public void EndWhenIdle(Func<bool> isIdle)
    {
        if (onDemand && isIdle())
        {
            Begin(keepInstances: true);
        }
    }
}
