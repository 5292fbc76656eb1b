using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>Waits for a condition instead of for a time.</summary>
internal static class Eventually
{
    public static async Task BecomesTrueAsync(
        Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string text = "")
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            if (clock.Elapsed > TimeSpan.FromSeconds(10))
            {
                throw new TimeoutException($"never became true: {text}");
            }

            await Task.Delay(5);
        }
    }
}
