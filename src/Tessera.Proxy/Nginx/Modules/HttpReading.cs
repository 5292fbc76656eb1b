using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// What the modules of one http block share while they read it. Used by one thread, once.
/// </summary>
internal sealed class HttpReading
{
    public required NginxFiles Files { get; init; }

    public required UpstreamModule Upstreams { get; init; }

    /// <summary>Of all charsets that the block tells how to write in another one.</summary>
    public ImmutableArray<CharsetMapConfig> CharsetMaps { get; init; } = [];

    public required NginxVariables Variables { get; init; }

    /// <summary>Where the block ends: there nginx holds settings against each other.</summary>
    public required NginxDirective End { get; init; }

    /// <summary>
    /// Tables of media types by the first block that makes each: what inherits one shares it.
    /// </summary>
    public Dictionary<NginxDirective, ImmutableSortedDictionary<string, string>> Types { get; } =
        new(ReferenceEqualityComparer.Instance);

    /// <summary>Told what is odd and still can be used.</summary>
    public Action<string> Warn { get; init; } = _ => { };
}
