using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>A variable that a configuration has of its own.</summary>
/// <param name="Name">Without "$".</param>
public abstract record VariableConfig(string Name);

/// <summary>One that scripts and the groups of expressions set; empty until then.</summary>
/// <param name="IsUnknownUntilSet">
/// Until then it is not there, as what groups are named by; else it is there and empty.
/// </param>
public sealed record SetVariableConfig(string Name, bool IsUnknownUntilSet = false)
    : VariableConfig(Name);

/// <summary>nginx's map.</summary>
/// <param name="Source">A text with variables.</param>
/// <param name="Entries">Exact texts, expressions behind "~", or with hostnames wildcards.</param>
/// <param name="Default">A text with variables.</param>
/// <param name="HasHostNames">Texts with "*" or "." at their ends are masks.</param>
/// <param name="IsVolatile">Looked up anew each time.</param>
public sealed record MapConfig(
    string Name,
    string Source,
    ImmutableArray<MapEntry> Entries,
    string Default,
    bool HasHostNames = false,
    bool IsVolatile = false) : VariableConfig(Name);

/// <param name="Key">Without a backslash that only kept it from being special.</param>
/// <param name="Value">A text with variables.</param>
/// <param name="IsLiteral">No expression and no mask, whatever the key begins with.</param>
public sealed record MapEntry(string Key, string Value, bool IsLiteral = false);

/// <summary>nginx's geo.</summary>
/// <param name="Source">A text with variables; empty for the client's address.</param>
/// <param name="Ranges">The narrowest that holds decides; among equals the last.</param>
/// <param name="Default">Where none does.</param>
/// <param name="Proxies">Whose X-Forwarded-For is believed.</param>
/// <param name="IsRecursive">The last address there that is no proxy's counts.</param>
public sealed record GeoConfig(
    string Name,
    string Source,
    ImmutableArray<GeoRange> Ranges,
    string Default,
    ImmutableArray<AddressRule> Proxies,
    bool IsRecursive = false) : VariableConfig(Name);

/// <param name="First">16 bytes in network order; IPv4 is mapped into IPv6.</param>
/// <param name="Last">Included.</param>
public sealed record GeoRange(UInt128 First, UInt128 Last, string Value);

/// <summary>nginx's split_clients.</summary>
/// <param name="Source">A text with variables, whose hash decides.</param>
public sealed record SplitConfig(
    string Name, string Source, ImmutableArray<SplitPart> Parts) : VariableConfig(Name);

/// <param name="HundredthPercent">0 to 10,000; 0 takes what is left.</param>
/// <param name="Value">A text with variables.</param>
public sealed record SplitPart(int HundredthPercent, string Value);
