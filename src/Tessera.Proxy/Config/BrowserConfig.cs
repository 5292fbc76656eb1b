using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>Which browsers are modern and which ancient: ngx_http_browser_module.</summary>
public sealed record BrowserConfig
{
    /// <summary>Looked for in their order; the first that is found decides.</summary>
    public ImmutableArray<ModernBrowser> Modern { get; init; } = [];

    /// <summary>Whatever is not told to be ancient is modern.</summary>
    public bool IsUnlistedModern { get; init; }

    /// <summary>Texts in the names of ancient browsers.</summary>
    public ImmutableArray<string> Ancient { get; init; } = [];

    /// <summary>Those that call themselves Mozilla/1 to Mozilla/4 are ancient.</summary>
    public bool IsNetscapeAncient { get; init; }

    /// <summary>Of <c>$modern_browser</c>, where it says yes.</summary>
    public string ModernValue { get; init; } = "1";

    /// <summary>Of <c>$ancient_browser</c>, where it says yes.</summary>
    public string AncientValue { get; init; } = "1";
}

/// <param name="Mark">What its version comes behind.</param>
/// <param name="Start">The mark is looked for from this byte of the name on.</param>
/// <param name="Version">Four numbers of up to two digits as one; older ones are ancient.</param>
public sealed record ModernBrowser(string Mark, int Start, int MarkLength, long Version);
