using System.Runtime.InteropServices;

namespace Tessera.Linux.Net;

/// <summary>
/// The beginning of struct tcp_info in linux/tcp.h, of which four fields are of use; the kernel
/// fills as much as there is room for, see tcp(7).
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 100)]
public struct TcpState
{
    /// <summary>Smoothed round-trip time in microseconds.</summary>
    [FieldOffset(68)]
    public uint RoundTripUs;

    [FieldOffset(72)]
    public uint RoundTripVarianceUs;

    /// <summary>In segments.</summary>
    [FieldOffset(80)]
    public uint CongestionWindow;

    /// <summary>In bytes.</summary>
    [FieldOffset(96)]
    public uint ReceiveSpace;
}
