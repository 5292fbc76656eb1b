using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// A block and those around it. A setting is looked for from the inside out; of directives that may
/// repeat, the innermost block that has any has them all. That is all of nginx's inheritance.
/// </summary>
/// <remarks>Used by one thread.</remarks>
internal sealed class NginxScope
{
    /// <summary>Blocks of fewer directives are looked through: they have no index.</summary>
    private const int MinIndexed = 8;

    /// <summary>By their names; null until somebody looks for one.</summary>
    private Dictionary<string, NginxDirective[]>? _index;

    public NginxScope(
        NginxContext context, ImmutableArray<NginxDirective> directives, NginxScope? outer)
    {
        Context = context;
        Directives = directives;
        Outer = outer;
    }

    public NginxContext Context { get; }

    public ImmutableArray<NginxDirective> Directives { get; }

    public NginxScope? Outer { get; }

    /// <summary>Of a location; null for what else there is.</summary>
    public PathMatch? Path { get; init; }

    /// <summary>The scope of one of its directives' block.</summary>
    public NginxScope Within(NginxDirective directive, NginxContext context) =>
        Within(directive, context, path: null);

    /// <inheritdoc cref="Within(NginxDirective, NginxContext)"/>
    public NginxScope Within(NginxDirective directive, NginxContext context, PathMatch? path) =>
        new(context, directive.Block ?? [], this) { Path = path };

    /// <summary>Null where nothing sets it, here or further out.</summary>
    public NginxDirective? Find(string name)
    {
        for (NginxScope? scope = this; scope is not null; scope = scope.Outer)
        {
            if (scope.FindHere(name) is { } directive)
            {
                return directive;
            }
        }

        return null;
    }

    /// <summary>Null where this block does not set it.</summary>
    public NginxDirective? FindHere(string name)
    {
        if (Directives.Length >= MinIndexed)
        {
            return Index.TryGetValue(name, out NginxDirective[]? found) ? found[0] : null;
        }

        foreach (NginxDirective directive in Directives)
        {
            if (directive.Name == name)
            {
                return directive;
            }
        }

        return null;
    }

    /// <summary>
    /// Null where neither this block sets it nor, for an if or a limit_except, the location that it
    /// is in: what belongs to a location and is not inherited further.
    /// </summary>
    public NginxDirective? FindInLocation(string name) =>
        FindHere(name)
        ?? (Context is NginxContext.LocationIf or NginxContext.LimitExcept
            ? Outer!.FindInLocation(name)
            : null);

    /// <summary>Those of the innermost block that has any.</summary>
    public IEnumerable<NginxDirective> All(string name)
    {
        for (NginxScope? scope = this; scope is not null; scope = scope.Outer)
        {
            if (scope.FindHere(name) is not null)
            {
                return scope.AllHere(name);
            }
        }

        return [];
    }

    /// <summary>
    /// Those of several names that make one list, of the innermost block that has any, in their
    /// order.
    /// </summary>
    public IEnumerable<NginxDirective> AllOf(params string[] names)
    {
        for (NginxScope? scope = this; scope is not null; scope = scope.Outer)
        {
            NginxScope at = scope;
            if (Array.Exists(names, name => at.FindHere(name) is not null))
            {
                return at.Directives.Where(directive => names.Contains(directive.Name));
            }
        }

        return [];
    }

    /// <summary>Those of this block, in their order.</summary>
    public IEnumerable<NginxDirective> AllHere(string name) =>
        Directives.Length >= MinIndexed
            ? Index.GetValueOrDefault(name) ?? []
            : Directives.Where(directive => directive.Name == name);

    /// <summary>
    /// Each location asks for a hundred settings of the block of all servers, which may hold
    /// thousands of directives.
    /// </summary>
    private Dictionary<string, NginxDirective[]> Index => _index ??= Directives
        .GroupBy(directive => directive.Name, StringComparer.Ordinal)
        .ToDictionary(group => group.Key, group => group.ToArray(), StringComparer.Ordinal);

    public bool Flag(string name, bool otherwise) =>
        Find(name) is { } directive ? directive.Value == "on" : otherwise;

    public int Number(string name, int otherwise) =>
        Find(name) is { } directive ? NginxValue.Number(directive, directive.Value) : otherwise;

    public long Size(string name, long otherwise) =>
        Find(name) is { } directive ? NginxValue.Size(directive, directive.Value) : otherwise;

    public int Milliseconds(string name, int otherwise) =>
        Find(name) is { } directive
            ? NginxValue.Milliseconds(directive, directive.Value)
            : otherwise;

    public string Text(string name, string otherwise) => Find(name)?.Value ?? otherwise;
}
