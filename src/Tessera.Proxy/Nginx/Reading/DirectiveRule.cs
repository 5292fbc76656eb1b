namespace Tessera.Proxy.Nginx;

/// <summary>What the arguments of a directive are, when each is of one kind.</summary>
internal enum ValueKind
{
    /// <summary>Whatever its module makes of it.</summary>
    Any,

    /// <summary>on or off.</summary>
    Flag,

    /// <summary>A whole number from 0.</summary>
    Number,

    /// <summary>Bytes, with k, m or g behind them.</summary>
    Size,

    /// <summary>A time, in milliseconds.</summary>
    Milliseconds,

    /// <summary>A time, in whole seconds.</summary>
    Seconds,

    /// <summary>
    /// Words of <see cref="DirectiveRule.Choices"/>, each once: ngx_conf_set_bitmask_slot.
    /// </summary>
    Words,

    /// <summary>Media types, each once: ngx_http_types_slot.</summary>
    Types,
}

/// <summary>
/// Where a directive may stand and how it is written. What it means is its module's.
/// </summary>
/// <param name="MinArguments">0 or more.</param>
/// <param name="MaxArguments">-1 for any number.</param>
internal sealed record DirectiveRule(
    string Name, NginxContext Contexts, int MinArguments = 1, int MaxArguments = 1)
{
    public ValueKind Kind { get; init; }

    /// <summary>The context of what is in its block; null for a directive without one.</summary>
    public NginxContext? Block { get; init; }

    /// <summary>
    /// Its block holds no directives but lines of its own kind: map, geo, types, split_clients.
    /// </summary>
    public bool HasLines { get; init; }

    /// <summary>It may stand several times in one block.</summary>
    public bool MayRepeat { get; init; }

    /// <summary>Words that its one argument is chosen from; empty for any.</summary>
    public string[] Choices { get; init; } = [];

    /// <summary>What a number may be; null for any.</summary>
    public (int Min, int Max)? Range { get; init; }

    /// <summary>
    /// Throws or warns of its arguments where it stands, whether or not anything uses it. It sees
    /// nothing but the directive.
    /// </summary>
    public Action<NginxDirective, DirectiveCheck>? Check { get; init; }

    /// <summary>It is read, and what it says makes no difference.</summary>
    public bool HasNoEffect { get; init; }

    /// <summary>
    /// The module it belongs to is not there: the one word that leaves it off is understood, and
    /// any other is an error. Null for what is understood as it is.
    /// </summary>
    public string? OffWord { get; init; }
}
