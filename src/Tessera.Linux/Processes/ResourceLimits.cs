using System.Runtime.InteropServices;

namespace Tessera.Linux.Processes;

/// <summary>What this process may use, see getrlimit(2). Stateless.</summary>
public static unsafe partial class ResourceLimits
{
    private const string Library = "libc";

    /// <summary>RLIMIT_NOFILE.</summary>
    private const int MaxOpenFiles = 7;

    /// <summary>
    /// Descriptors that this process may have open, its soft limit; <see cref="long.MaxValue"/>
    /// when there is none, or it is not known.
    /// </summary>
    public static long ReadMaxOpenFiles()
    {
        // struct rlimit: the soft limit, then the hard one.
        ulong* limits = stackalloc ulong[2];
        return getrlimit(MaxOpenFiles, limits) == 0
            ? (long)Math.Min(limits[0], long.MaxValue)
            : long.MaxValue;
    }

    [LibraryImport(Library)]
    private static partial int getrlimit(int resource, ulong* limits);
}
