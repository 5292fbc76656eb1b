using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// One directive as it was written: its name, its arguments without their quotes, and its block,
/// if it has one. Includes are in the place where they were.
/// </summary>
/// <param name="Position">Where it ends, which is what nginx's errors name.</param>
internal sealed record NginxDirective(
    string Name,
    ImmutableArray<string> Arguments,
    NginxPosition Position)
{
    /// <summary>Null for a directive that ends with ";".</summary>
    public ImmutableArray<NginxDirective>? Block { get; init; }

    /// <summary>Where the block ends; null for a directive without one.</summary>
    public NginxPosition? End { get; init; }

    /// <summary>The same for errors about its block as a whole: told at its end.</summary>
    public NginxDirective AtEnd() => this with { Position = End ?? Position };

    /// <summary>Its first argument.</summary>
    public string Value => Arguments[0];

    /// <summary>An error about it.</summary>
    public NginxConfigException Error(string message) => new(message, Position);
}
