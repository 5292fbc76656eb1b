namespace Tessera.Api;

/// <summary>
/// The control API: HTTP/1.1 + JSON over the unix socket <see cref="TesseraHome.ControlSocket"/>.
/// Every request and every response carries <see cref="VersionHeader"/>. Commands that yield answer
/// with <see cref="StreamMediaType"/>: one JSON object a line, the last of which is an
/// <see cref="ErrorBody"/> when the command failed.
/// </summary>
public static class ControlProtocol
{
    /// <summary>Grows whenever a record of <c>IController</c> changes its wire form.</summary>
    public const string Version = "1";

    public const string VersionHeader = "Tessera-Api";

    public const string StreamMediaType = "application/x-ndjson";

    public const string JsonMediaType = "application/json";

    public const string UpPath = "/up";
    public const string DownPath = "/down";
    public const string ChangePath = "/change";
    public const string InstancesPath = "/instances";
    public const string LogsPath = "/logs";
    public const string EventsPath = "/events";

    /// <summary>Answers every API version, so that a collector can read it.</summary>
    public const string MetricsPath = "/metrics";

    /// <summary>
    /// Answers every API version: it is how a client finds out which one it talks to.
    /// </summary>
    public const string DaemonPath = "/daemon";

    /// <summary>Obeys every API version: it is how a client gets rid of another one.</summary>
    public const string DaemonStopPath = "/daemon/stop";

    /// <summary>Largest request body; a canonical project is some kilobytes.</summary>
    public const int MaxRequestBytes = 16 * 1024 * 1024;

    /// <summary>Connections served at once; one more is closed at once.</summary>
    public const int MaxConnections = 256;

    /// <summary>Longest line of a stream that a client takes.</summary>
    public const int MaxLineBytes = 16 * 1024 * 1024;

    /// <summary>
    /// Longest path that fits in sockaddr_un, see unix(7); the last byte is its NUL.
    /// </summary>
    public const int MaxSocketPathBytes = 107;

    public static string RequestTooLarge { get; } =
        $"the project is larger than {MaxRequestBytes / 1024 / 1024} MiB once it is resolved";

    public static string VersionMismatch(string daemonVersion) =>
        $"the daemon speaks version '{daemonVersion}' of the control API, this command version "
        + $"'{Version}'; end that daemon with 'tessera daemon stop --keep-instances' (instances "
        + "run on) and run the command again";
}

/// <summary>
/// The last line of a failed stream, and the body of every other failed response.
/// </summary>
public sealed record ErrorBody(ErrorDetail Error);

/// <param name="Message">For the terminal, as it is.</param>
/// <param name="ExitCode">What the command ends with.</param>
public sealed record ErrorDetail(string Message, int ExitCode);

/// <summary>
/// The daemon ended in the middle of an answer, not in an orderly way: what it would have said, and
/// whether it did what it was asked for, is unknown.
/// </summary>
public sealed class DaemonLostException(string message, Exception? inner = null)
    : Exception(message, inner);

/// <summary>
/// Nobody answers on the control socket: there is no daemon, or it is just ending.
/// </summary>
public sealed class DaemonUnreachableException(string message, Exception? inner = null)
    : Exception(message, inner);
