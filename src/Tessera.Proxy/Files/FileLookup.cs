using Tessera.Linux;
using Tessera.Linux.Files;

namespace Tessera.Proxy.Files;

/// <summary>What a path stands for, asked of the system each time. Stateless.</summary>
internal static class FileLookup
{
    /// <summary>PATH_MAX of Linux; longer paths name nothing.</summary>
    private const int MaxPathBytes = 4_096;

    /// <summary>
    /// AT_FDCWD of openat(2); paths here are absolute, so it is never looked at.
    /// </summary>
    private const int CurrentFolder = -100;

    /// <param name="path">Absolute.</param>
    public static bool TryGetStatus(
        ReadOnlySpan<byte> path, LinkCheck links, out FileStatus status)
    {
        status = default;
        if (path.Length >= MaxPathBytes || path.IsEmpty)
        {
            return false;
        }

        Span<byte> terminated = stackalloc byte[path.Length + 1];
        path.CopyTo(terminated);
        terminated[^1] = 0;
        if (!links.IsOn)
        {
            return FileCalls.GetStatus(CurrentFolder, terminated, out status).IsSuccess;
        }

        SyscallResult opened = FileCalls.OpenUnlinked(
            terminated, links.Trusted, links.FollowsOwners);
        if (!opened.IsSuccess)
        {
            return false;
        }

        bool isSeen = FileCalls.GetStatus(opened.IntValue, out status).IsSuccess;
        FileCalls.Close(opened.IntValue);
        return isSeen;
    }
}
