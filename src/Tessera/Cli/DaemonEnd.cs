using System.Text.Json;
using Tessera.Linux.Processes;

namespace Tessera.Cli;

/// <summary>
/// Waits for a daemon's end: its answer to a command ends before it does, and only when it is gone
/// are its socket, its lock and its ports free.
/// </summary>
internal static class DaemonEnd
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Null when the daemon is of another version and words its status differently.
    /// </summary>
    public static async Task<DaemonView?> FindAsync(Session session, IController controller)
    {
        try
        {
            return await controller.GetDaemonAsync(session.Cancellation);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static async Task WaitAsync(Session session, int pid)
    {
        // Whoever adopted the daemon may take a while to reap it: as a zombie it holds nothing.
        long begin = session.Caller.Time.GetTimestamp();
        while (ProcessTable.TryRead(pid, out ProcessEntry daemon) && !daemon.IsEnded)
        {
            if (session.Caller.Time.GetElapsedTime(begin) > Limit)
            {
                session.Warn($"the daemon (pid {pid}) has not ended yet");
                return;
            }

            await Task.Delay(PollInterval, session.Caller.Time, session.Cancellation);
        }
    }
}
