using System.Net;
using System.Net.Sockets;

namespace Tessera.EndToEnd.Harness;

/// <summary>
/// Ports nobody listens on, below the ephemeral range, so that no outgoing connection takes one
/// between the asking and the use. Never gives a port twice. Safe from any thread.
/// </summary>
public static class FreePorts
{
    private const int First = 20_000;
    private const int Count = 9_000;
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

    public static bool IsFree(int port)
    {
        using var probe = new Socket(
            AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // Without SO_REUSEADDR, so that a port somebody listens on is never taken for free.
            probe.Bind(new IPEndPoint(IPAddress.Any, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
