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
}
