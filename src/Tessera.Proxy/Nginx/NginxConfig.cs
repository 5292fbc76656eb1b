using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>Where a configuration is.</summary>
/// <param name="Prefix">Folder that relative names begin at: -p.</param>
/// <param name="File">The main file, relative to the prefix: -c.</param>
/// <param name="Globals">Directives before those of the file: -g.</param>
public sealed record NginxSource(string Prefix, string File, string Globals = "")
{
    /// <summary>An error log that is the standard error output.</summary>
    public const string StandardError = "stderr";

    /// <summary>Directives that nginx has and this program has not are warned of only.</summary>
    public bool IsLenient { get; init; }

    /// <summary>
    /// Where errors go unless error_log says; relative to the prefix, or "stderr".
    /// </summary>
    public string ErrorLog { get; init; } = StandardError;

    /// <summary>Where requests are logged unless access_log says; relative to the prefix.</summary>
    public string AccessLog { get; init; } = "logs/access.log";

    /// <summary>Where the process's number goes unless pid says; relative to the prefix.</summary>
    public string PidFile { get; init; } = "logs/nginx.pid";

    /// <summary>
    /// The process belongs to somebody else, who serves this beside other things: what concerns the
    /// process is overlooked, and a file of servers and upstreams alone is an http block.
    /// </summary>
    public bool IsGuest { get; init; }

    /// <summary>
    /// Whether the caller knows a host's addresses on a port, and puts them where a
    /// <see cref="HostEndPoint"/> stands; null knows none. Throws a
    /// <see cref="NginxConfigException"/> for a host that it knows without that port.
    /// </summary>
    public Func<string, int, bool>? KnowsHost { get; init; }

    /// <summary>
    /// Files as they were read before, by their whole names: nothing else is read. Null reads them.
    /// </summary>
    public ImmutableSortedDictionary<string, string>? Texts { get; init; }

    /// <summary>The whole name of the main file.</summary>
    public string MainFile => Path.Combine(Prefix, File);

    /// <summary>The whole name of the default error log; "stderr" is that.</summary>
    public string ErrorLogFile => ErrorLog == StandardError
        ? StandardError
        : Path.Combine(Prefix, ErrorLog);
}

/// <summary>What a configuration says of the process.</summary>
public sealed record NginxProcess
{
    /// <summary>Holds the process's number while it runs.</summary>
    public required string PidFile { get; init; }

    /// <summary>Holds it while another process takes this one's place.</summary>
    public string OldPidFile => PidFile + ".oldbin";

    /// <summary>It goes into the background.</summary>
    public bool IsDaemon { get; init; } = true;

    /// <summary>
    /// How long requests may take to end after a QUIT, in milliseconds; 0 sets no limit.
    /// </summary>
    public int ShutdownTimeoutMs { get; init; }

}

/// <summary>A configuration as it is run.</summary>
public sealed record NginxConfig
{
    /// <summary>What is served.</summary>
    public required ProxyConfig Proxy { get; init; }

    /// <summary>What is fixed for the life of the process.</summary>
    public required ProxyOptions Options { get; init; }

    /// <inheritdoc cref="NginxProcess"/>
    public required NginxProcess Process { get; init; }

    /// <summary>Every file that is logged to; they are made before anything is served.</summary>
    public ImmutableArray<string> LogFiles { get; init; } = [];

    /// <summary>Folders that temporary files may be in.</summary>
    public ImmutableArray<string> TemporaryFolders { get; init; } = [];

    /// <summary>What was overlooked because the reading was lenient.</summary>
    public ImmutableArray<string> Warnings { get; init; } = [];

    /// <summary>Every file that was read, for <see cref="NginxSource.Texts"/>.</summary>
    public ImmutableSortedDictionary<string, string> Texts { get; init; } =
        ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>Every file that was read and its text, as -T prints them.</summary>
    public ImmutableArray<(string File, string Text)> Files { get; init; } = [];
}
