using Tessera.Linux.Processes;

namespace Tessera.Stack.Engines.Native;

/// <summary>Ends process groups of children of ours. Threading: stateless.</summary>
internal static class SpawnedGroup
{
    private const int MaxReapRounds = 100;
    private static readonly TimeSpan ReapPause = TimeSpan.FromMilliseconds(2);

    /// <summary>
    /// Kills a group whose leader nobody watches, and reaps it. The leader has not been reaped, so
    /// its number is still its own.
    /// </summary>
    public static async Task EndAsync(int group, TimeProvider time)
    {
        ProcessGroup.SendSignal(group, Signals.Kill);
        await ReapAsync(group, time);
    }

    /// <summary>
    /// Waits a while until killed members are gone; they fall to this process once they have ended.
    /// </summary>
    public static async Task ReapAsync(int group, TimeProvider time)
    {
        for (int i = 0; i < MaxReapRounds && ProcessGroup.Exists(group); i++)
        {
            ProcessGroup.Reap(group);
            await Task.Delay(ReapPause, time);
        }
    }
}
