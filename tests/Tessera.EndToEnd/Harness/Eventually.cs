using System.Diagnostics;

namespace Tessera.EndToEnd.Harness;

/// <summary>Waits on conditions instead of sleeping for fixed times.</summary>
public static class Eventually
{
    public static readonly TimeSpan DefaultLimit = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Polls until <paramref name="condition"/> holds; fails with <paramref name="what"/>.
    /// </summary>
    public static Task HoldsAsync(string what, Func<bool> condition, TimeSpan? limit = null) =>
        HoldsAsync(what, () => Task.FromResult(condition()), limit);

    /// <inheritdoc cref="HoldsAsync(string, Func{bool}, TimeSpan?)"/>
    public static async Task HoldsAsync(
        string what, Func<Task<bool>> condition, TimeSpan? limit = null)
    {
        await GetAsync(what, async () => await condition() ? "yes" : null, limit);
    }

    /// <summary>The first value that is not null.</summary>
    public static async Task<T> GetAsync<T>(
        string what, Func<Task<T?>> attempt, TimeSpan? limit = null)
        where T : class
    {
        TimeSpan allowed = limit ?? DefaultLimit;
        var watch = Stopwatch.StartNew();
        while (true)
        {
            T? value = await attempt();
            if (value is not null)
            {
                return value;
            }

            if (watch.Elapsed > allowed)
            {
                throw new TimeoutException(
                    $"waited {watch.Elapsed.TotalSeconds:F1} s in vain: {what}");
            }

            await Task.Delay(20);
        }
    }
}
