using System.Runtime.InteropServices;
using Tessera.Proxy;

namespace Tessera.Daemon;

/// <summary>
/// SIGUSR1 makes the daemon write on into new files, as it does with nginx: whoever rotates logs
/// moves them away first. Safe from any thread.
/// </summary>
internal sealed class LogReopening : IDisposable
{
    /// <summary>
    /// See signal(7); .NET passes numbers that it has no name for on as they are.
    /// </summary>
    private const PosixSignal User1 = (PosixSignal)10;

    private readonly ProxyServer _proxy;
    private readonly DaemonLog _log;
    private readonly PosixSignalRegistration _registration;

    public LogReopening(ProxyServer proxy, DaemonLog log)
    {
        _proxy = proxy;
        _log = log;
        _registration = PosixSignalRegistration.Create(User1, OnSignal);
    }

    public void Dispose() => _registration.Dispose();

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        _log.Reopen();
        _proxy.ReopenLogsAsync().ContinueWith(
            end => _log.Write(end.Exception is { } fault
                ? $"logs were not reopened: {fault.InnerException!.Message}"
                : "logs were reopened"),
            CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }
}
