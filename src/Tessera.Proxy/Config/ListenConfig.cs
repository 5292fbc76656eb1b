namespace Tessera.Proxy;

/// <summary>
/// How the sockets of a listener are made: the options of nginx's listen. They hold from when the
/// address is first listened on.
/// </summary>
public sealed record ListenConfig
{
    public static ListenConfig Default { get; } = new();

    /// <summary>Connections that the kernel keeps until they are accepted; 1 or more.</summary>
    public int Backlog { get; init; } = 4_096;

    /// <summary>Bytes of SO_RCVBUF; 0 leaves the system's.</summary>
    public int ReceiveBytes { get; init; }

    /// <summary>Bytes of SO_SNDBUF; 0 leaves the system's.</summary>
    public int SendBytes { get; init; }

    /// <summary>An address of IPv6 leaves IPv4 to others.</summary>
    public bool IsIPv6Only { get; init; } = true;

    /// <summary>A connection is accepted when its first bytes are there.</summary>
    public bool IsDeferred { get; init; }

    /// <summary>Connections of TCP Fast Open that may wait; 0 takes none.</summary>
    public int FastOpenQueue { get; init; }

    /// <summary>Whether the kernel asks silent peers; null leaves it to the system.</summary>
    public KeepAliveProbes? Probes { get; init; }
}

/// <summary>When the kernel asks a silent peer; 0 leaves the system's.</summary>
public sealed record KeepAliveProbes(
    bool IsOn, int IdleSeconds = 0, int IntervalSeconds = 0, int Count = 0);
