using System.Globalization;
using Tessera.Linux.Processes;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// Who listens on a port of this machine, from /proc/net/tcp and /proc/pid/fd (proc(5)).
/// </summary>
internal static class ListeningSocket
{
    private const string StateListen = "0A";

    /// <summary>
    /// Inodes of the sockets that listen on <paramref name="port"/> of 127.0.0.1 or of every
    /// address.
    /// </summary>
    public static HashSet<long> FindInodes(int port)
    {
        HashSet<long> inodes = [];
        foreach (string path in (string[])["/proc/net/tcp", "/proc/net/tcp6"])
        {
            if (!File.Exists(path))
            {
                continue;
            }

            // sl, local address, remote address, state, queues, timer, retransmits, uid,
            // timeout, inode.
            foreach (string line in File.ReadLines(path).Skip(1))
            {
                string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (words.Length < 10 || words[3] != StateListen)
                {
                    // Sockets that listen come first; there may be very many others.
                    break;
                }

                int colon = words[1].LastIndexOf(':');
                if (int.Parse(words[1].AsSpan(colon + 1), NumberStyles.HexNumber, null) == port)
                {
                    inodes.Add(long.Parse(words[9], CultureInfo.InvariantCulture));
                }
            }
        }

        return inodes;
    }

    /// <summary>
    /// Whether the process has one of the sockets open; null when its descriptors may not be read.
    /// </summary>
    public static bool? IsHeldBy(int pid, HashSet<long> inodes)
    {
        try
        {
            foreach (string path in Directory.EnumerateFileSystemEntries($"/proc/{pid}/fd"))
            {
                string? target = new FileInfo(path).LinkTarget;
                if (target is not null && target.StartsWith("socket:[", StringComparison.Ordinal)
                    && long.TryParse(target.AsSpan(8, target.Length - 9), out long inode)
                    && inodes.Contains(inode))
                {
                    return true;
                }
            }

            return false;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>
    /// Whether a process of the instance listens on the port. True also where that cannot be told.
    /// </summary>
    public static async Task<bool> BelongsToAsync(
        int port, ProcessIdentity leader, string id, ProcessScan scan)
    {
        HashSet<long> inodes = FindInodes(port);
        bool? isHeld = IsHeldBy(leader.Pid, inodes);
        if (isHeld != false)
        {
            return true;
        }

        ProcessSnapshot snapshot = await scan.TakeAsync();
        foreach (ProcessEntry entry in snapshot.Entries)
        {
            if (entry.StartTime >= leader.StartTime && !entry.IsEnded
                && (entry.Session == leader.Pid || snapshot.MarkOf(entry.Pid) == id)
                && IsHeldBy(entry.Pid, inodes) != false)
            {
                return true;
            }
        }

        return false;
    }
}
