using System.Runtime.InteropServices;

namespace Tessera.Bench.Load;

/// <summary>
/// Receives without copying, so that the load generator is cheaper than what it measures
/// (MSG_TRUNC on a stream, see tcp(7)).
/// </summary>
internal static partial class Discard
{
    private const int DontWait = 0x40;
    private const int Truncate = 0x20;

    /// <summary>Bytes thrown away, 0 at the end of the stream, -1 while there are none.</summary>
    public static unsafe long Receive(int descriptor, long maxBytes) =>
        recv(descriptor, null, (nuint)maxBytes, DontWait | Truncate);

    [LibraryImport("libc")]
    private static unsafe partial nint recv(
        int descriptor, byte* buffer, nuint length, int flags);
}
