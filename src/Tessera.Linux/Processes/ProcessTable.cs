using System.Buffers.Text;
using System.Text;

namespace Tessera.Linux.Processes;

/// <summary>One row of the process table (proc_pid_stat(5)).</summary>
/// <param name="StartTime">In clock ticks after boot: with the pid, it names a process for
/// good.</param>
/// <param name="IsEnded">A zombie: it runs no more and waits to be reaped.</param>
public readonly record struct ProcessEntry(
    int Pid, int Parent, int Group, int Session, long StartTime, bool IsEnded);

/// <summary>Reads /proc. Whatever is gone by the time it is read is left out.</summary>
public static class ProcessTable
{
    // A stat line is some 300 bytes; environments beyond this are searched in their beginning only.
    private const int StatLength = 1_024;
    private const int EnvironmentLength = 2 * 1024 * 1024;

    /// <summary>Tells one boot of the machine from another; start times count from it.</summary>
    public static string ReadBootId() =>
        File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    /// <summary>Every process of now.</summary>
    public static List<ProcessEntry> ReadAll()
    {
        var entries = new List<ProcessEntry>();
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            ReadOnlySpan<char> name = Path.GetFileName(folder.AsSpan());
            if (int.TryParse(name, out int pid) && TryRead(pid, out ProcessEntry entry))
            {
                entries.Add(entry);
            }
        }

        return entries;
    }

    public static bool TryRead(int pid, out ProcessEntry entry)
    {
        entry = default;
        Span<byte> text = stackalloc byte[StatLength];
        int length = ReadFile($"/proc/{pid}/stat", text);
        if (length <= 0)
        {
            return false;
        }

        // The command's name stands in parentheses and may hold any byte, parentheses included.
        int close = text[..length].LastIndexOf((byte)')');
        return close > 0 && TryParse(pid, text[(close + 2)..length], out entry);
    }

    /// <summary>
    /// Value of a variable in the environment that the process was started with, or null.
    /// </summary>
    public static string? ReadVariable(int pid, string name)
    {
        byte[] prefix = Encoding.UTF8.GetBytes(name + "=");
        ReadOnlySpan<byte> rest = ReadEnvironment(pid);
        while (!rest.IsEmpty)
        {
            int end = rest.IndexOf((byte)0);
            ReadOnlySpan<byte> assignment = end < 0 ? rest : rest[..end];
            if (assignment.StartsWith(prefix))
            {
                return Encoding.UTF8.GetString(assignment[prefix.Length..]);
            }

            rest = end < 0 ? default : rest[(end + 1)..];
        }

        return null;
    }

    private static byte[] ReadEnvironment(int pid)
    {
        try
        {
            using FileStream file = File.OpenRead($"/proc/{pid}/environ");
            using var bytes = new MemoryStream();
            var chunk = new byte[16 * 1024];
            int got;
            while (bytes.Length < EnvironmentLength && (got = file.Read(chunk)) > 0)
            {
                bytes.Write(chunk, 0, got);
            }

            return bytes.ToArray();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static int ReadFile(string path, Span<byte> buffer)
    {
        try
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path);
            return RandomAccess.Read(file, buffer, 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    /// <summary>
    /// Fields from the third on: state, ppid, pgrp, session, …, and the 22nd, starttime.
    /// </summary>
    private static bool TryParse(int pid, ReadOnlySpan<byte> fields, out ProcessEntry entry)
    {
        Span<long> numbers = stackalloc long[20];
        bool ended = fields.Length > 0 && fields[0] is (byte)'Z' or (byte)'X';
        ReadOnlySpan<byte> rest = fields;
        for (int i = 0; i < numbers.Length; i++)
        {
            int space = rest.IndexOf((byte)' ');
            ReadOnlySpan<byte> field = space < 0 ? rest : rest[..space];
            if (i > 0 && !Utf8Parser.TryParse(field, out numbers[i], out _))
            {
                entry = default;
                return false;
            }

            rest = space < 0 ? default : rest[(space + 1)..];
        }

        entry = new ProcessEntry(
            pid, (int)numbers[1], (int)numbers[2], (int)numbers[3], numbers[19], ended);
        return true;
    }
}
