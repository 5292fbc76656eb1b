using System.Text;
using Tessera.Bench.Load;

namespace Tessera.Bench.Peers;

/// <summary>What the load generator does.</summary>
internal enum LoadKind
{
    /// <summary>Requests on connections that stay; the backend answers.</summary>
    KeepAlive,

    /// <summary>A connection for each request.</summary>
    NewConnection,

    /// <summary>A file that the proxy serves by itself.</summary>
    File,

    /// <summary>Connections that have had one answer and ask nothing more.</summary>
    Idle,
}

/// <summary>One load, the same for all peers.</summary>
internal sealed record Scenario(string Name, LoadKind Kind, int Connections, int BodyBytes)
{
    public static IReadOnlyList<Scenario> All { get; } =
    [
        new("small-1", LoadKind.KeepAlive, 1, CannedReplies.SmallBodyBytes),
        new("small-16", LoadKind.KeepAlive, 16, CannedReplies.SmallBodyBytes),
        new("small-64", LoadKind.KeepAlive, 64, CannedReplies.SmallBodyBytes),
        new("small-512", LoadKind.KeepAlive, 512, CannedReplies.SmallBodyBytes),
        new("small-2000", LoadKind.KeepAlive, 2_000, CannedReplies.SmallBodyBytes),
        new("1k", LoadKind.KeepAlive, 64, 1_024),
        new("64k", LoadKind.KeepAlive, 64, 64 * 1_024),
        new("1m", LoadKind.KeepAlive, 16, 1_024 * 1_024),
        new("connect", LoadKind.NewConnection, 64, CannedReplies.SmallBodyBytes),
        new("file-4k", LoadKind.File, 64, 4 * 1_024),
        new("file-100m", LoadKind.File, 4, 100 * 1_024 * 1_024),
        new("idle-10000", LoadKind.Idle, 10_000, CannedReplies.SmallBodyBytes),
    ];

    public static Scenario WarmUp { get; } =
        new("warm-up", LoadKind.KeepAlive, 64, CannedReplies.SmallBodyBytes);

    /// <summary>Name of the file below the folder of files, and of the path to it.</summary>
    public string FileName => $"{Name}.bin";

    public byte[] Request() => Encoding.ASCII.GetBytes(
        $"GET {(Kind == LoadKind.File ? $"/files/{FileName}" : CannedReplies.PathOf(BodyBytes))} "
        + "HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: tessera-bench\r\nAccept: */*\r\n"
        + (Kind == LoadKind.NewConnection ? "Connection: close\r\n\r\n" : "\r\n"));
}
