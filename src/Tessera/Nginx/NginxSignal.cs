using System.Globalization;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Linux.Processes;
using Tessera.Proxy;
using Tessera.Proxy.Nginx;

namespace Tessera.Nginx;

/// <summary>
/// -s: a signal to the process that serves, whose number its file has. Stateless.
/// </summary>
internal static class NginxSignal
{
    private const int MaxDigits = 18;

    /// <summary>Returns an exit code.</summary>
    /// <exception cref="NginxConfigException">There is no such file.</exception>
    public static int Send(string name, string pidFile, StartLog log)
    {
        log.Write(ErrorLevel.Notice, "signal process started");
        string text;
        try
        {
            text = File.ReadAllText(pidFile).Trim('\r', '\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log.Write(
                ErrorLevel.Error, $"open() \"{pidFile}\" failed {LogFileAccess.Cause(pidFile, e)}");
            return ExitCode.Failed;
        }

        if (text.Length > MaxDigits || !int.TryParse(
            text, NumberStyles.None, CultureInfo.InvariantCulture, out int pid) || pid <= 0)
        {
            log.Write(ErrorLevel.Error, $"invalid PID number \"{text}\" in \"{pidFile}\"");
            return ExitCode.Failed;
        }

        int signal = name switch
        {
            "stop" => 15,
            "quit" => 3,
            "reopen" => 10,
            _ => 1,
        };
        SyscallResult sent = ProcessHandle.TryOpen(pid, out ProcessHandle? process);
        using (process)
        {
            sent = process is null ? sent : process.SendSignal(signal);
        }

        if (sent.IsSuccess)
        {
            return ExitCode.Ok;
        }

        log.Write(
            ErrorLevel.Alert,
            $"kill({pid}, {signal}) failed ({sent.Errno}: {ErrnoText.Of(sent.Errno)})");
        return ExitCode.Failed;
    }
}
