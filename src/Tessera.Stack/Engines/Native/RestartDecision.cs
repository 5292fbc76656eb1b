using System.Globalization;

namespace Tessera.Stack.Engines.Native;

/// <summary>What follows the end of an instance that nobody stopped. Pure.</summary>
/// <param name="Restarts">False: the slot stays as it is.</param>
/// <param name="IsFatal">It was given up, after all the restarts that its policy allows.</param>
internal readonly record struct RestartDecision(bool Restarts, bool IsFatal, TimeSpan Delay)
{
    /// <param name="exitCode">Null when nobody can know; counts as a failure.</param>
    /// <param name="failures">Short runs in a row, this one included; 1 or more.</param>
    /// <param name="jitter">0 to below 1; spreads the delay by 20 percent to each side.</param>
    public static RestartDecision After(
        RestartPolicy policy,
        int? exitCode,
        int failures,
        double jitter,
        NativeEngineOptions options)
    {
        switch (policy.Condition)
        {
            case RestartCondition.No:
            case RestartCondition.OnFailure when exitCode == 0:
                return new RestartDecision(false, false, TimeSpan.Zero);
            case RestartCondition.OnFailure when failures > policy.MaxRetries:
                return new RestartDecision(false, true, TimeSpan.Zero);
            default:
                return new RestartDecision(true, false, DelayAfter(failures, jitter, options));
        }
    }

    /// <summary>None after the first failure, then doubling up to the maximum.</summary>
    private static TimeSpan DelayAfter(int failures, double jitter, NativeEngineOptions options)
    {
        if (failures <= 1)
        {
            return TimeSpan.Zero;
        }

        double factor = Math.Pow(2, Math.Min(failures, 32) - 2);
        double doubled = options.RestartDelay.TotalMilliseconds * factor;
        double capped = Math.Min(doubled, options.MaxRestartDelay.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(capped * (0.8 + (0.4 * jitter)));
    }

    /// <summary>"exit code 3", or why there is none.</summary>
    public static string DescribeExit(int? exitCode) => exitCode switch
    {
        null => "exit code unknown: ended while no daemon was its parent",
        > 128 and <= 128 + 64 => string.Create(
            CultureInfo.InvariantCulture,
            $"exit code {exitCode} ({Linux.Processes.Signals.Describe(exitCode.Value - 128)})"),
        _ => string.Create(CultureInfo.InvariantCulture, $"exit code {exitCode}"),
    };

    /// <summary>"restarting in 1.6 s after exit code 3 (5 failures in a row)".</summary>
    public static string DescribeWait(TimeSpan delay, string cause, int failures) =>
        failures <= 1
            ? $"restarting after {cause}"
            : string.Create(
                CultureInfo.InvariantCulture,
                $"restarting in {delay.TotalSeconds:0.0} s after {cause} "
                + $"({failures} failures in a row)");
}
