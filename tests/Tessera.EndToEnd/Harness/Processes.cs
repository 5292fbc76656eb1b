using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Tessera.EndToEnd.Harness;

/// <summary>
/// Processes as /proc shows them (proc(5)). Processes that end meanwhile are left out.
/// </summary>
public static class Processes
{
    /// <summary>
    /// Everything that carries <paramref name="mark"/> in its environment, command line or working
    /// directory, however it was started; zombies are not counted.
    /// </summary>
    public static IReadOnlyList<int> FindMarked(string mark)
    {
        List<int> found = [];
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out int pid)
                && pid != Environment.ProcessId
                && (Read(pid, "environ").Contains(mark, StringComparison.Ordinal)
                    || Read(pid, "cmdline").Contains(mark, StringComparison.Ordinal)
                    || WorkingDirectory(pid).StartsWith(mark, StringComparison.Ordinal))
                && IsAlive(pid))
            {
                found.Add(pid);
            }
        }

        return found;
    }

    /// <summary>Exists and is not a zombie.</summary>
    public static bool IsAlive(int pid)
    {
        string stat = Read(pid, "stat");
        int afterName = stat.LastIndexOf(')');
        return afterName > 0 && stat[afterName + 2] is not ('Z' or 'X');
    }

    public static string[] CommandLine(int pid) =>
        Read(pid, "cmdline").Split('\0', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Resident memory in bytes; 0 when the process is gone.</summary>
    public static long ResidentBytes(int pid)
    {
        string? line = Read(pid, "status").Split('\n')
            .FirstOrDefault(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return line is null
            ? 0
            : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
                CultureInfo.InvariantCulture) * 1_024;
    }

    public static int OpenFiles(int pid) => Directory.GetFiles($"/proc/{pid}/fd").Length;

    /// <summary>
    /// Sends a signal by its name without SIG; a process that is gone is no error.
    /// </summary>
    public static async Task SignalAsync(int pid, string signal)
    {
        using Process kill = Process.Start(new ProcessStartInfo("/bin/sh")
        {
            ArgumentList = { "-c", $"kill -{signal} {pid}" },
            RedirectStandardError = true,
        })!;
        await kill.WaitForExitAsync();
    }

    /// <summary>One line that tells a person what a process is.</summary>
    public static string Describe(int pid) => $"{pid} {string.Join(' ', CommandLine(pid))}";

    private static string Read(int pid, string file)
    {
        try
        {
            return Encoding.Latin1.GetString(File.ReadAllBytes($"/proc/{pid}/{file}"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static string WorkingDirectory(int pid)
    {
        try
        {
            return new FileInfo($"/proc/{pid}/cwd").LinkTarget ?? "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
