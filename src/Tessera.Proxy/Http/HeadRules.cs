namespace Tessera.Proxy.Http;

/// <summary>How heads are read: strictly, or with what nginx puts up with. Immutable.</summary>
internal sealed record HeadRules
{
    /// <summary>As RFC 9112 has it, and nothing beside.</summary>
    public static HeadRules Strict { get; } = new();

    /// <summary>What nginx does without a word in its configuration.</summary>
    public static HeadRules Tolerant { get; } = new() { IsTolerant = true };

    /// <summary>
    /// A line may end with LF alone (RFC 9112 section 2.2), methods are in capitals, and what is
    /// wrong with a field's name costs the field, not the request.
    /// </summary>
    public bool IsTolerant { get; init; }

    /// <summary>nginx's ignore_invalid_headers; off takes names of any letters.</summary>
    public bool IgnoresInvalidNames { get; init; } = true;

    /// <summary>nginx's underscores_in_headers.</summary>
    public bool AllowsUnderscores { get; init; }

    /// <summary>
    /// Of the request line (414) and of each field (431): one of nginx's large buffers.
    /// </summary>
    public int MaxLineBytes { get; init; } = int.MaxValue;

    /// <summary>nginx's max_headers; one field more gets 431.</summary>
    public int MaxFields { get; init; } = int.MaxValue;

    /// <summary>Of the whole head, in place of the server's limit; 0 leaves that.</summary>
    public int MaxHeadBytes { get; init; }
}
