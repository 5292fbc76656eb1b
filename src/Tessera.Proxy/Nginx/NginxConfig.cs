using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>Where a configuration is.</summary>
/// <param name="Prefix">Absolute folder that relative names begin at: -p.</param>
/// <param name="File">The main file, relative to the prefix: -c.</param>
/// <param name="Globals">Directives before those of the file: -g.</param>
public sealed record NginxSource(string Prefix, string File, string Globals = "")
{
    /// <summary>Directives that nginx has and this program has not are warned of only.</summary>
    public bool IsLenient { get; init; }
}

/// <summary>What a configuration says of the process.</summary>
public sealed record NginxProcess
{
    /// <summary>Absolute; holds the process's number while it runs.</summary>
    public required string PidFile { get; init; }

    /// <summary>It goes into the background.</summary>
    public bool IsDaemon { get; init; } = true;

    /// <summary>Absolute, or "stderr".</summary>
    public required string ErrorLog { get; init; }
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

    /// <summary>What was overlooked because the reading was lenient.</summary>
    public ImmutableArray<string> Warnings { get; init; } = [];

    /// <summary>Every file that was read and its text, as -T prints them.</summary>
    public ImmutableArray<(string File, string Text)> Files { get; init; } = [];
}
