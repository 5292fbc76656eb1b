using Microsoft.Win32.SafeHandles;

namespace Tessera.Cli;

/// <summary>
/// Opens descriptor 1 so that a reader who left (<c>tessera logs | head</c>) is noticed.
/// </summary>
internal static class StandardOutput
{
    private const int Descriptor = 1;

    /// <summary>
    /// .NET's console stream swallows EPIPE and would write into the void for ever, so pipes,
    /// terminals and sockets are written through a file stream, which throws. A regular file keeps
    /// the console stream: it writes at the offset that is shared with stderr and other processes.
    /// </summary>
    public static Stream Open()
    {
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
            // Descriptor 1 is closed: whatever is written goes nowhere.
        }

        return Console.OpenStandardOutput();
    }
}
