using Microsoft.Win32.SafeHandles;

namespace Tessera.Linux.Processes;

/// <summary>
/// An exclusive flock(2) on a file, held until disposed or until the process ends, however it ends.
/// </summary>
public sealed class FileLock : IDisposable
{
    private const int Exclusive = 2;
    private const int NonBlocking = 4;
    private const int ReadWrite = 2;
    private const int Create = 0x40;
    private const int CloseOnExec = 0x80000;
    private const uint OwnerOnly = 0x180; // 0600

    private readonly SafeFileHandle _file;

    private FileLock(SafeFileHandle file) => _file = file;

    /// <summary>Takes the lock; null when another process holds it.</summary>
    /// <exception cref="IOException">The file cannot be opened or locked for another
    /// reason.</exception>
    public static FileLock? TryTake(string path)
    {
        // Not by File.OpenHandle: that takes an flock of its own, for what it calls sharing.
        SafeFileHandle file = Open(path);
        SyscallResult locked = ProcessCalls.Result(
            ProcessCalls.flock((int)file.DangerousGetHandle(), Exclusive | NonBlocking));
        if (locked.IsSuccess)
        {
            return new FileLock(file);
        }

        file.Dispose();
        return locked.Errno == ProcessErrno.Again
            ? null
            : throw new IOException($"{path}: {ProcessErrno.Describe(locked.Errno)}");
    }

    /// <summary>
    /// A lock that another process holds and has passed on with its descriptor: flock(2) belongs to
    /// the open file, so both hold it until both have closed it.
    /// </summary>
    public static FileLock FromDescriptor(int descriptor) =>
        new(new SafeFileHandle(descriptor, ownsHandle: true));

    /// <summary>For passing the lock on; owned by this object.</summary>
    public int Descriptor => (int)_file.DangerousGetHandle();

    /// <summary>
    /// The locked file has no name any more: somebody deleted it (proc_pid_fd(5)).
    /// </summary>
    public bool IsDeleted =>
        File.ResolveLinkTarget(
            $"/proc/self/fd/{(int)_file.DangerousGetHandle()}", returnFinalTarget: false)
            ?.FullName.EndsWith(" (deleted)", StringComparison.Ordinal) ?? true;

    /// <summary>Makes <paramref name="content"/> all that the locked file holds.</summary>
    public void Write(ReadOnlySpan<byte> content)
    {
        RandomAccess.SetLength(_file, content.Length);
        RandomAccess.Write(_file, content, 0);
    }

    private static unsafe SafeFileHandle Open(string path)
    {
        SyscallResult opened;
        fixed (byte* name = ProcessSpawn.Terminated(path))
        {
            opened = ProcessCalls.Result(
                ProcessCalls.open(name, ReadWrite | Create | CloseOnExec, OwnerOnly));
        }

        return opened.IsSuccess
            ? new SafeFileHandle(opened.IntValue, ownsHandle: true)
            : throw new IOException($"{path}: {ProcessErrno.Describe(opened.Errno)}");
    }

    public void Dispose() => _file.Dispose();
}
