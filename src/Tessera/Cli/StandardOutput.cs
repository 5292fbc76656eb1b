using Microsoft.Win32.SafeHandles;
using Tessera.Linux.Processes;

namespace Tessera.Cli;

/// <summary>
/// Descriptor 1, used so that a reader who left (<c>tessera logs | head</c>) is noticed.
/// </summary>
internal static class StandardOutput
{
    private const int Descriptor = 1;

    /// <summary>Whoever read it has left: nothing that is written is seen any more.</summary>
    public static bool IsReaderGone => StandardStream.IsReaderGone(Descriptor);

    /// <summary>
    /// .NET's console stream swallows EPIPE and would write into the void for ever, so pipes,
    /// terminals and sockets are written through a file stream, which throws. A regular file keeps
    /// the console stream: it writes at the offset that is shared with stderr and other processes.
    /// Where the caller closed the descriptor, what is written goes nowhere.
    /// </summary>
    public static Stream Open()
    {
        if (!StandardStream.IsInherited(Descriptor))
        {
            return Stream.Null;
        }

        try
        {
            var stream = new FileStream(
                new SafeFileHandle(Descriptor, ownsHandle: false), FileAccess.Write, bufferSize: 0);
            if (!stream.CanSeek)
            {
                return stream;
            }
        }
        catch (Exception fault) when (fault is IOException or ArgumentException
            or UnauthorizedAccessException)
        {
            // Not open for writing: the console stream drops what it is given.
        }

        return Console.OpenStandardOutput();
    }
}
