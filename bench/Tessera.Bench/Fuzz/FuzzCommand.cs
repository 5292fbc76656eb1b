using System.Diagnostics;
using System.Globalization;

namespace Tessera.Bench.Fuzz;

/// <summary>
/// "fuzz SEEDS SECONDS [SEED]": gives each parser damaged input for that long. What fails is
/// written beside its seeds, so that the next run begins with it. Ends with 0, or with 1.
/// </summary>
internal static class FuzzCommand
{
    /// <summary>One input never takes longer, unless something hangs.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private const int MaxSlowRuns = 5;

    /// <summary>Above what the runtime itself comes to need.</summary>
    private const long MaxGrowthBytes = 64L * 1_024 * 1_024;

    public static int Run(ReadOnlySpan<string> arguments)
    {
        string folder = arguments[0];
        double seconds = double.Parse(arguments[1], CultureInfo.InvariantCulture);
        int seed = arguments.Length > 2
            ? int.Parse(arguments[2], CultureInfo.InvariantCulture)
            : Random.Shared.Next();
        Console.WriteLine($"seed {seed}");
        int failures = 0;
        foreach (FuzzTarget target in FuzzTarget.All)
        {
            failures += Run(target, Path.Combine(folder, target.Name), seconds, seed) ? 0 : 1;
        }

        return failures == 0 ? 0 : 1;
    }

    private static bool Run(FuzzTarget target, string folder, double seconds, int seed)
    {
        byte[][] seeds = [.. Directory.EnumerateFiles(folder).Order().Select(File.ReadAllBytes)];
        var random = new Random(seed);
        var mutator = new Mutator(random, seeds);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        long inputs = 0;
        var elapsed = Stopwatch.StartNew();
        while (elapsed.Elapsed.TotalSeconds < seconds)
        {
            byte[] input = inputs < seeds.Length ? seeds[inputs] : mutator.Next();
            inputs++;
            if (Try(target, input, random) is { } failure)
            {
                string path = Path.Combine(folder, $"failure-{seed}-{inputs}");
                File.WriteAllBytes(path, input);
                Console.WriteLine($"{target.Name}: {failure} (seed {seed}, kept as {path})");
                return false;
            }
        }

        long grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        Console.WriteLine(
            $"{target.Name}: {inputs} inputs in {elapsed.Elapsed.TotalSeconds:0} s, "
            + $"memory {grown / 1_024:+0;-0;0} KiB");
        return grown < MaxGrowthBytes;
    }

    /// <summary>
    /// What went wrong, or null. A machine that is busy may halt this thread for a while: slow is
    /// what is slow again and again.
    /// </summary>
    private static string? Try(FuzzTarget target, byte[] input, Random random)
    {
        TimeSpan took = TimeSpan.Zero;
        for (int attempt = 1; attempt <= MaxSlowRuns; attempt++)
        {
            long start = Stopwatch.GetTimestamp();
            try
            {
                target.Check(input, random);
            }
            catch (Exception exception)
            {
                return exception.ToString();
            }

            took = Stopwatch.GetElapsedTime(start);
            if (took <= Patience)
            {
                return null;
            }
        }

        return $"took {took.TotalSeconds:0.0} s";
    }
}
