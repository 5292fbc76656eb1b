using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Tessera.Stack.Engines.Native;

/// <summary>The end of what one instance wrote.</summary>
internal static class LogTail
{
    private const int MaxLines = 5;
    private const int MaxBytes = 1_024;

    /// <summary>
    /// At most 5 lines and 1 KiB, without the last line end; empty without output.
    /// </summary>
    /// <param name="start">Where the instance's own output begins.</param>
    public static string Read(SlotLog log, string writer, LogPosition start)
    {
        LogSegment? segment = log.Segments.LastOrDefault(segment => segment.Writer == writer);
        if (segment is null)
        {
            return "";
        }

        long from = segment.Sequence == start.Sequence ? start.Offset : 0;
        long length = segment.Length;
        from = Math.Max(from, length - MaxBytes);
        using SafeFileHandle? file = segment.OpenForReading(index: false);
        if (file is null || length <= from)
        {
            return "";
        }

        Span<byte> bytes = stackalloc byte[(int)(length - from)];
        int got = RandomAccess.Read(file, bytes, from);
        string[] lines = Encoding.UTF8.GetString(bytes[..got]).TrimEnd().Split('\n');
        return string.Join('\n', lines.TakeLast(MaxLines));
    }
}
