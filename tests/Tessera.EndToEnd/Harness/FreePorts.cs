using System.Globalization;

namespace Tessera.EndToEnd.Harness;

/// <summary>
/// Ports nobody listens on, below the ephemeral range, so that no outgoing connection takes one
/// between the asking and the use. Never gives a port twice. Safe from any thread.
/// </summary>
public static class FreePorts
{
    private const int First = 20_000;
    private const int Count = 9_000;
    private const string Listening = "0A";
    private static int _next = Environment.ProcessId * 37 % Count;

    public static int Next()
    {
        for (int tries = 0; tries < Count; tries++)
        {
            int port = First + (Interlocked.Increment(ref _next) % Count);
            if (IsFree(port))
            {
                return port;
            }
        }

        throw new InvalidOperationException($"no port of {First}..{First + Count - 1} is free");
    }

    /// <summary>The first port of <paramref name="length"/> free ones in a row.</summary>
    public static int NextRange(int length)
    {
        int first = Next();
        int last = first;
        while (last - first + 1 < length)
        {
            int port = Next();
            first = port == last + 1 ? first : port;
            last = port;
        }

        return first;
    }

    /// <summary>
    /// Nobody listens on the port, on any address. Read from proc(5): a bind would also see the
    /// connections of the past, which wait for their time to be over (TIME_WAIT).
    /// </summary>
    public static bool IsFree(int port)
    {
        string suffix = ":" + port.ToString("X4", CultureInfo.InvariantCulture);
        return !new[] { "/proc/net/tcp", "/proc/net/tcp6" }
            .SelectMany(File.ReadLines)
            .Skip(1)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Any(fields => fields is [_, var local, _, Listening, ..]
                && local.EndsWith(suffix, StringComparison.Ordinal));
    }
}
