using Tessera.Stack;

namespace Tessera.Daemon;

/// <summary>The process that owns a state folder.</summary>
public static class Daemon
{
    /// <summary>Runs until it is told to stop; returns the process's exit code.</summary>
    public static Task<int> RunAsync(
        TesseraHome home, bool onDemand, CancellationToken cancellation) =>
        throw new UserErrorException("this build has no daemon", UserErrorException.Failed);
}
