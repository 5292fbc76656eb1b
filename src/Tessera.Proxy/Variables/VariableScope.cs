using System.Collections.Immutable;

namespace Tessera.Proxy.Variables;

/// <summary>
/// The variables that a configuration has of its own, while its texts are parsed: texts stand deep
/// in routes and logs, so the scope that they are parsed in is the thread's. Immutable once made;
/// what was parsed holds on to its variables and needs no scope any more.
/// </summary>
internal sealed class VariableScope
{
    [ThreadStatic]
    private static VariableScope? s_current;

    private readonly Dictionary<string, OwnVariable> _variables = new(StringComparer.Ordinal);

    /// <exception cref="FormatException">A text of one names no variable.</exception>
    /// <exception cref="ArgumentException">An expression of one is none.</exception>
    public VariableScope(ImmutableArray<VariableConfig> variables)
    {
        // All names first: a map may name one that is defined behind it.
        var prepared = new List<IPreparedVariable>();
        foreach (VariableConfig config in variables)
        {
            OwnVariable variable = VariableFactory.Create(config, _variables.Count);
            _variables[config.Name] = variable;
            if (variable is IPreparedVariable one)
            {
                prepared.Add(one);
            }
        }

        using (Enter())
        {
            prepared.ForEach(one => one.Prepare(this));
        }
    }

    public static VariableScope None { get; } = new([]);

    /// <summary>That of the configuration that this thread is making ready.</summary>
    public static VariableScope Current => s_current ?? None;

    /// <summary>Null for a name that the configuration does not define.</summary>
    public OwnVariable? Find(string name) => _variables.GetValueOrDefault(name);

    /// <summary>Texts are parsed in this scope until the result is disposed of.</summary>
    public Entered Enter()
    {
        var entered = new Entered(s_current);
        s_current = this;
        return entered;
    }

    /// <summary>Gives the thread the scope back that it had.</summary>
    internal readonly ref struct Entered(VariableScope? before)
    {
        public void Dispose() => s_current = before;
    }
}

/// <summary>A variable whose texts name others.</summary>
internal interface IPreparedVariable
{
    /// <summary>Called once, when all variables of the scope exist.</summary>
    void Prepare(VariableScope scope);
}

/// <summary>A text names a variable that there is not.</summary>
internal sealed class UnknownVariableException(string name)
    : FormatException($"there is no variable \"${name}\"")
{
    /// <summary>Without "$".</summary>
    public string Name { get; } = name;
}
