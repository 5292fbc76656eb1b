using System.Net;
using System.Net.Sockets;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// Private ports of instances. They are taken in turn from a random place on, so that a port that
/// was just given back is the last to be taken again and two daemons rarely try the same one.
/// Threading: safe from any thread.
/// </summary>
internal sealed class PortPool
{
    private readonly Lock _lock = new();
    private readonly HashSet<int> _taken = [];
    private readonly PortRange _range;
    private int _next;

    public PortPool(PortRange range)
    {
        _range = range;
        _next = Random.Shared.Next(range.Count);
    }

    /// <summary>
    /// <paramref name="wished"/>, where it does not meet the ports that the kernel hands out to
    /// clients; else the largest range beside those, at most 10,000 ports.
    /// </summary>
    public static PortRange Avoid(PortRange wished, PortRange ephemeral)
    {
        const int firstUnprivileged = 1_024;
        const int most = 10_000;
        if (wished.Last < ephemeral.First || wished.First > ephemeral.Last)
        {
            return wished;
        }

        int below = ephemeral.First - firstUnprivileged;
        int above = IPEndPoint.MaxPort - ephemeral.Last;
        if (Math.Max(below, above) < 1)
        {
            return wished;
        }

        return below >= above
            ? new PortRange(
                Math.Max(firstUnprivileged, ephemeral.First - most), ephemeral.First - 1)
            : new PortRange(
                ephemeral.Last + 1, Math.Min(IPEndPoint.MaxPort, ephemeral.Last + most));
    }

    /// <summary>
    /// The kernel's range for clients (ip(7)); its usual one when it cannot be read.
    /// </summary>
    public static PortRange ReadEphemeralRange()
    {
        try
        {
            string[] words = File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range")
                .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            return new PortRange(int.Parse(words[0]), int.Parse(words[1]));
        }
        catch (Exception e) when (e is IOException or FormatException or IndexOutOfRangeException)
        {
            return new PortRange(32_768, 60_999);
        }
    }

    /// <summary>A port that nobody listens on; null when there is none left.</summary>
    public int? Take()
    {
        lock (_lock)
        {
            for (int i = 0; i < _range.Count; i++)
            {
                int port = _range.First + _next;
                _next = (_next + 1) % _range.Count;
                if (!_taken.Contains(port) && IsFree(port))
                {
                    _taken.Add(port);
                    return port;
                }
            }

            return null;
        }
    }

    /// <summary>Marks the port of an instance that was adopted.</summary>
    public void Reserve(int port)
    {
        lock (_lock)
        {
            _taken.Add(port);
        }
    }

    public void GiveBack(int port)
    {
        lock (_lock)
        {
            _taken.Remove(port);
        }
    }

    /// <summary>Whether 127.0.0.1 can be listened on at this port.</summary>
    public static bool IsFree(int port)
    {
        try
        {
            using var socket = new Socket(
                AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
