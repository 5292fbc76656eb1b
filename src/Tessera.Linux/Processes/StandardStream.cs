namespace Tessera.Linux.Processes;

/// <summary>
/// What became of the descriptors that a process inherited. Safe from any thread.
/// </summary>
public static unsafe class StandardStream
{
    private const int GetDescriptorFlags = 1;
    private const int CloseOnExec = 1;
    private const short PollError = 8;
    private const short PollHangUp = 16;
    private const short PollInvalid = 32;

    /// <summary>
    /// False when the caller had closed the descriptor: its number is then free, or belongs to a
    /// file of the runtime's own. Those are closed on exec, which nothing inherited can be.
    /// </summary>
    public static bool IsInherited(int descriptor)
    {
        int flags = ProcessCalls.fcntl(descriptor, GetDescriptorFlags, 0);
        return flags >= 0 && (flags & CloseOnExec) == 0;
    }

    /// <summary>
    /// Whether what is written to it can reach nobody any more: the pipe's last reader has left, or
    /// the terminal was hung up (poll(2)).
    /// </summary>
    public static bool IsReaderGone(int descriptor)
    {
        var entry = new PollEntry { Descriptor = descriptor };
        return ProcessCalls.poll(&entry, 1, 0) > 0
            && (entry.Returned & (PollError | PollHangUp | PollInvalid)) != 0;
    }
}
