using System.Runtime.InteropServices;
using System.Text;
using Tessera.Linux.Net;

namespace Tessera.Linux.Processes;

/// <summary>What posix_spawn(3) is to start.</summary>
/// <param name="Path">Absolute path of the program.</param>
/// <param name="Arguments">argv, its first word included.</param>
/// <param name="Environment"><c>NAME=value</c>; nothing is inherited besides.</param>
/// <param name="OutputPath">Opened read-write as stdout and stderr; null uses <paramref
/// name="OutputDescriptor"/>.</param>
/// <param name="OutputDescriptor">Duplicated to stdout and stderr when there is no path.</param>
public sealed record SpawnRequest(
    string Path,
    IReadOnlyList<string> Arguments,
    IReadOnlyList<string> Environment,
    string WorkingDirectory,
    string? OutputPath,
    int OutputDescriptor = -1)
{
    /// <summary>The number that the first of <see cref="Shared"/> gets.</summary>
    public const int FirstShared = 3;

    /// <summary>
    /// Descriptors that the new process has too, as <see cref="FirstShared"/> and those behind.
    /// </summary>
    public IReadOnlyList<int> Shared { get; init; } = [];
}

/// <summary>
/// Starts programs in a session of their own: default signal dispositions, empty signal mask, stdin
/// from /dev/null, stdout and stderr to one place, every other descriptor closed but those that are
/// shared.
/// </summary>
public static unsafe class ProcessSpawn
{
    private const int OpenReadOnly = 0;
    private const int OpenReadWrite = 2;
    private const int DuplicateCloseOnExec = 1_030;
    private const short SetSignalDefaults = 0x04;
    private const short SetSignalMask = 0x08;
    private const short SetSession = 0x80;

    // Room for posix_spawn_file_actions_t (80), posix_spawnattr_t (336), sigset_t (128) of glibc.
    private const int OpaqueLength = 512;

    /// <summary>
    /// The new process's id; or the errno of the step that failed, exec included.
    /// </summary>
    public static SyscallResult Start(SpawnRequest request)
    {
        byte* actions = stackalloc byte[OpaqueLength];
        byte* attributes = stackalloc byte[OpaqueLength];
        int[] shared = new int[request.Shared.Count];
        int errno = ProcessCalls.posix_spawn_file_actions_init(actions);
        if (errno != 0)
        {
            return SyscallResult.Failure(errno);
        }

        errno = ProcessCalls.posix_spawnattr_init(attributes);
        if (errno != 0)
        {
            _ = ProcessCalls.posix_spawn_file_actions_destroy(actions);
            return SyscallResult.Failure(errno);
        }

        try
        {
            errno = SetAttributes(attributes);
            errno = errno != 0 ? errno : CopyShared(request.Shared, shared);
            errno = errno != 0 ? errno : AddActions(actions, request, shared);
            return errno != 0 ? SyscallResult.Failure(errno) : Spawn(actions, attributes, request);
        }
        finally
        {
            foreach (int copy in shared.Where(copy => copy > 0))
            {
                SocketCalls.Close(copy);
            }

            _ = ProcessCalls.posix_spawnattr_destroy(attributes);
            _ = ProcessCalls.posix_spawn_file_actions_destroy(actions);
        }
    }

    private static int SetAttributes(byte* attributes)
    {
        byte* signals = stackalloc byte[OpaqueLength];
        _ = ProcessCalls.sigfillset(signals);
        int errno = ProcessCalls.posix_spawnattr_setsigdefault(attributes, signals);
        _ = ProcessCalls.sigemptyset(signals);
        errno = errno != 0 ? errno : ProcessCalls.posix_spawnattr_setsigmask(attributes, signals);
        return errno != 0
            ? errno
            : ProcessCalls.posix_spawnattr_setflags(
                attributes, SetSignalDefaults | SetSignalMask | SetSession);
    }

    /// <summary>
    /// Copies with numbers above all that the new process gives them, so that giving one of them
    /// its number closes no other.
    /// </summary>
    private static int CopyShared(IReadOnlyList<int> descriptors, int[] copies)
    {
        for (int i = 0; i < copies.Length; i++)
        {
            SyscallResult copied = ProcessCalls.Result(ProcessCalls.fcntl(
                descriptors[i], DuplicateCloseOnExec, SpawnRequest.FirstShared + copies.Length));
            if (!copied.IsSuccess)
            {
                return copied.Errno;
            }

            copies[i] = copied.IntValue;
        }

        return 0;
    }

    private static int AddActions(byte* actions, SpawnRequest request, int[] shared)
    {
        int errno;
        fixed (byte* nullDevice = "/dev/null\0"u8)
        fixed (byte* directory = Terminated(request.WorkingDirectory))
        fixed (byte* output = Terminated(request.OutputPath ?? ""))
        {
            errno = ProcessCalls.posix_spawn_file_actions_addopen(
                actions, 0, nullDevice, OpenReadOnly, 0);
            errno = errno != 0 ? errno
                : request.OutputPath is null
                ? ProcessCalls.posix_spawn_file_actions_adddup2(
                    actions, request.OutputDescriptor, 1)
                : ProcessCalls.posix_spawn_file_actions_addopen(
                    actions, 1, output, OpenReadWrite, 0);
            errno = errno != 0 ? errno
                : ProcessCalls.posix_spawn_file_actions_adddup2(actions, 1, 2);
            for (int i = 0; i < shared.Length && errno == 0; i++)
            {
                errno = ProcessCalls.posix_spawn_file_actions_adddup2(
                    actions, shared[i], SpawnRequest.FirstShared + i);
            }

            errno = errno != 0 ? errno
                : ProcessCalls.posix_spawn_file_actions_addclosefrom_np(
                    actions, SpawnRequest.FirstShared + shared.Length);
            return errno != 0 ? errno
                : ProcessCalls.posix_spawn_file_actions_addchdir_np(actions, directory);
        }
    }

    private static SyscallResult Spawn(byte* actions, byte* attributes, SpawnRequest request)
    {
        byte** arguments = null;
        byte** environment = null;
        try
        {
            arguments = CopyWords(request.Arguments);
            environment = CopyWords(request.Environment);
            int pid;
            fixed (byte* path = Terminated(request.Path))
            {
                int errno = ProcessCalls.posix_spawn(
                    &pid, path, actions, attributes, arguments, environment);
                return errno == 0 ? SyscallResult.Success(pid) : SyscallResult.Failure(errno);
            }
        }
        finally
        {
            NativeMemory.Free(arguments);
            NativeMemory.Free(environment);
        }
    }

    /// <summary>One block: the pointers, a null pointer, then the words themselves.</summary>
    private static byte** CopyWords(IReadOnlyList<string> words)
    {
        int pointers = (words.Count + 1) * sizeof(byte*);
        int length = pointers;
        foreach (string word in words)
        {
            length += Encoding.UTF8.GetByteCount(word) + 1;
        }

        byte* block = (byte*)NativeMemory.Alloc((nuint)length);
        byte** table = (byte**)block;
        byte* next = block + pointers;
        byte* end = block + length;
        for (int i = 0; i < words.Count; i++)
        {
            table[i] = next;
            next += Encoding.UTF8.GetBytes(words[i], new Span<byte>(next, (int)(end - next)));
            *next++ = 0;
        }

        table[words.Count] = null;
        return (byte**)block;
    }

    internal static byte[] Terminated(string text) => Encoding.UTF8.GetBytes(text + "\0");
}
