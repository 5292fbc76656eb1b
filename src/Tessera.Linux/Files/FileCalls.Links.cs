using Tessera.Linux.Net;

namespace Tessera.Linux.Files;

/// <summary>Paths whose links are not trusted: nginx's disable_symlinks.</summary>
public static unsafe partial class FileCalls
{
    private const int NoFollowStatus = 0x100;

    /// <summary>
    /// Opens what an absolute path leads to for reading, one name at a time, so that none can be
    /// swapped in between. A symbolic link among them fails with ELOOP, or with ENOTDIR where a
    /// folder has to be.
    /// </summary>
    /// <param name="trusted">Bytes in front in which links are followed.</param>
    /// <param name="followsOwners">
    /// Links are followed that belong to whom what they lead to belongs.
    /// </param>
    public static SyscallResult OpenUnlinked(
        ReadOnlySpan<byte> path, int trusted, bool followsOwners)
    {
        if (!IsTerminated(path) || path[0] != '/')
        {
            return SyscallResult.Failure(FileErrno.Invalid);
        }

        Span<byte> name = stackalloc byte[MaxNameBytes + 1];
        ReadOnlySpan<byte> rest = path[trusted..^1].TrimStart((byte)'/');
        SyscallResult opened = OpenTrusted(path[..trusted]);
        while (opened.IsSuccess && !rest.IsEmpty)
        {
            int folder = opened.IntValue;
            int slash = rest.IndexOf((byte)'/');
            ReadOnlySpan<byte> step = slash < 0 ? rest : rest[..slash];
            rest = slash < 0 ? default : rest[slash..].TrimStart((byte)'/');
            int flags = !rest.IsEmpty ? PathOnly | FolderOnly
                : ReadOnly | NonBlocking | NoTerminal | (slash < 0 ? 0 : FolderOnly);
            opened = step.Length > MaxNameBytes ? SyscallResult.Failure(FileErrno.NameTooLong)
                : followsOwners ? StepByOwner(folder, step, name, flags)
                : Step(folder, step, name, flags);
            Close(folder);
        }

        return opened;
    }

    private static SyscallResult OpenTrusted(ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty)
        {
            return OpenRoot("/\0"u8);
        }

        Span<byte> terminated = stackalloc byte[path.Length + 1];
        path.CopyTo(terminated);
        terminated[^1] = 0;
        return OpenRoot(terminated);
    }

    private static SyscallResult StepByOwner(
        int folder, ReadOnlySpan<byte> step, Span<byte> name, int flags)
    {
        step.CopyTo(name);
        name[step.Length] = 0;
        byte empty = 0;
        fixed (byte* pointer = name)
        {
            SyscallResult opened = Open(folder, pointer, flags);
            if (!opened.IsSuccess)
            {
                return opened;
            }

            StatusBuffer target = default;
            StatusBuffer link = default;
            SyscallResult seen = From(
                statx(opened.IntValue, &empty, EmptyPath, BasicStatus, &target));
            seen = seen.IsSuccess
                ? From(statx(folder, pointer, NoFollowStatus, BasicStatus, &link))
                : seen;
            if (seen.IsSuccess && target.Owner == link.Owner)
            {
                return opened;
            }

            Close(opened.IntValue);
            return seen.IsSuccess ? SyscallResult.Failure(FileErrno.Link) : seen;
        }
    }
}
