using System.Globalization;

namespace Tessera.Bench.Peers;

/// <summary>What a process and its descendants have used, as proc(5) tells.</summary>
/// <param name="Cpu">User and system time since they started.</param>
/// <param name="ResidentBytes">Resident sets, added up.</param>
internal sealed record ProcessUsage(TimeSpan Cpu, long ResidentBytes)
{
    /// <summary>USER_HZ, 100 on Linux for all architectures: see times(2).</summary>
    private const int TicksPerSecond = 100;

    /// <summary>Fields of /proc/PID/stat, counted from the one behind the name.</summary>
    private const int UserTimeField = 11;
    private const int SystemTimeField = 12;
    private const int ResidentPagesField = 21;

    /// <summary>
    /// Of <paramref name="processId"/> and its descendants. A process that ends meanwhile counts
    /// nothing.
    /// </summary>
    public static ProcessUsage Read(int processId)
    {
        var cpu = TimeSpan.Zero;
        long resident = 0;
        foreach (int id in TreeOf(processId))
        {
            if (ReadText($"/proc/{id}/stat") is not { } stat)
            {
                continue;
            }

            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            long ticks = Parse(fields[UserTimeField]) + Parse(fields[SystemTimeField]);
            cpu += TimeSpan.FromSeconds((double)ticks / TicksPerSecond);
            resident += Parse(fields[ResidentPagesField]) * Environment.SystemPageSize;
        }

        return new ProcessUsage(cpu, resident);
    }

    private static List<int> TreeOf(int root)
    {
        List<int> tree = [root];
        for (int i = 0; i < tree.Count; i++)
        {
            string children = ReadText($"/proc/{tree[i]}/task/{tree[i]}/children") ?? "";
            tree.AddRange(children
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(id => (int)Parse(id)));
        }

        return tree;
    }

    private static long Parse(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static string? ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path).TrimEnd();
        }
        catch (IOException)
        {
            return null;
        }
    }
}
