using Microsoft.Win32.SafeHandles;
using Tessera.Linux.Processes;

namespace Tessera.Nginx;

/// <summary>
/// How a process in the background tells the one that started it that it serves: by a byte on its
/// standard error output, which it then gives up. Immutable.
/// </summary>
/// <param name="Terminal">
/// The error output of whoever started it; empty for a process in the foreground.
/// </param>
internal sealed record NginxReadiness(string Terminal)
{
    /// <summary>No text has it.</summary>
    public const byte Mark = 0;

    public const string Variable = "TESSERA_NGINX_TERMINAL";

    /// <summary>For the environment of the process in the background.</summary>
    public static string Announcement => $"{Variable}=/proc/{Environment.ProcessId}/fd/2";

    public bool IsAwaited => Terminal.Length > 0;

    public static NginxReadiness FromEnvironment() =>
        new(Environment.GetEnvironmentVariable(Variable) ?? "");

    /// <param name="keepsTerminal">Error logs go there: it stays the error output.</param>
    public void Tell(bool keepsTerminal)
    {
        if (!IsAwaited)
        {
            return;
        }

        // What it leads to is opened while the other process still waits for the byte.
        using SafeFileHandle nothing = OpenForWriting("/dev/null");
        using SafeFileHandle? terminal = keepsTerminal ? TryOpenTerminal() : null;
        using (Stream output = Console.OpenStandardError())
        {
            output.WriteByte(Mark);
        }

        StandardStreams.Replace(nothing, terminal ?? nothing);
    }

    private SafeFileHandle? TryOpenTerminal()
    {
        try
        {
            return OpenForWriting(Terminal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A socket, or a terminal of somebody else.
            return null;
        }
    }

    private static SafeFileHandle OpenForWriting(string path) => File.OpenHandle(
        path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
}
