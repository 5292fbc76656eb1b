using System.Globalization;
using System.Text;
using Tessera.Linux;
using Tessera.Linux.Files;
using Tessera.Linux.Net;
using Tessera.Proxy;

namespace Tessera.Nginx;

/// <summary>
/// The error log while nothing is served yet: lines go to a file, and what weighs at least a
/// warning to the terminal too. Used by one thread at a time.
/// </summary>
internal sealed class StartLog
{
    private const string StandardError = "stderr";

    private readonly TextWriter _terminal;
    private string? _file;

    /// <param name="file">"stderr", or a file; one that cannot be opened is told of.</param>
    public StartLog(TextWriter terminal, string file)
    {
        _terminal = terminal;
        if (file == StandardError)
        {
            return;
        }

        if (LogFileAccess.TryCreate(file) is { } problem)
        {
            terminal.Write($"nginx: [alert] could not open error log file: {problem}\n");
            return;
        }

        _file = file;
    }

    /// <summary>What the configuration names, once it is read.</summary>
    public void GoOnIn(ErrorLogConfig log)
    {
        if (log.Syslog is null)
        {
            _file = log.Path.Length > 0 ? log.Path : null;
        }
    }

    public void Write(ErrorLevel level, string message)
    {
        int pid = Environment.ProcessId;
        string name = ErrorLevelName.Of(level);
        string line = string.Create(
            CultureInfo.InvariantCulture,
            $"{DateTime.Now:yyyy/MM/dd HH:mm:ss} [{name}] {pid}#{pid}: {message}\n");
        if (_file is null)
        {
            _terminal.Write(line);
            return;
        }

        // When it cannot be opened any more, the terminal has the line.
        if (AppendedFile.TryOpen(_file, out AppendedFile? file).IsSuccess)
        {
            using (file)
            {
                file!.Write(Encoding.UTF8.GetBytes(line));
            }
        }

        if (level >= ErrorLevel.Warning)
        {
            _terminal.Write($"nginx: [{name}] {message}\n");
        }
    }
}

/// <summary>Whether files can be written to, in nginx's words. Stateless.</summary>
internal static class LogFileAccess
{
    private const int NoEntry = 2;
    private const int AccessDenied = 13;
    private const int IsFolder = 21;

    /// <summary>Makes the file when it is not there; what is wrong, or null.</summary>
    public static string? TryCreate(string file)
    {
        SyscallResult opened = AppendedFile.TryOpen(file, out AppendedFile? made);
        made?.Dispose();
        return opened.IsSuccess
            ? null
            : $"open() \"{file}\" failed ({opened.Errno}: {ErrnoText.Of(opened.Errno)})";
    }

    /// <summary>"(2: No such file or directory)".</summary>
    public static string Cause(string file, Exception exception)
    {
        int errno = exception switch
        {
            FileNotFoundException or DirectoryNotFoundException => NoEntry,
            UnauthorizedAccessException when Directory.Exists(file) => IsFolder,
            UnauthorizedAccessException => AccessDenied,
            _ => exception.HResult & 0xFFFF,
        };
        return $"({errno}: {ErrnoText.Of(errno)})";
    }
}
