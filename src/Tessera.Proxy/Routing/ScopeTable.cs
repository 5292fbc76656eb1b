using Tessera.Proxy.Flow;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>
/// What names mean in each scope of one configuration, while it is applied. Used by one thread.
/// </summary>
internal sealed class ScopeTable
{
    private readonly VariableScope _common;
    private readonly Dictionary<string, VariableScope> _scopes = new(StringComparer.Ordinal);

    /// <exception cref="FormatException">A text of a variable names none.</exception>
    /// <exception cref="ArgumentException">An expression of one is none.</exception>
    public ScopeTable(ProxyConfig config)
    {
        _common = new VariableScope(config.Variables);
        foreach (ScopeConfig scope in config.Listeners
            .Concat(config.DatagramListeners).Select(listener => listener.Scope)
            .Concat(config.Backends.Select(backend => backend.Scope)).OfType<ScopeConfig>())
        {
            if (!_scopes.ContainsKey(scope.Name))
            {
                _scopes.Add(scope.Name, new VariableScope(scope.Variables));
            }
        }
    }

    /// <summary>Texts are parsed in the scope until the result is disposed of.</summary>
    public VariableScope.Entered Enter(ScopeConfig? scope) =>
        (scope is null ? _common : _scopes[scope.Name]).Enter();
}

/// <summary>
/// Backends and zones by the names that routes of one scope call them. Used by one thread.
/// </summary>
/// <param name="Backends">Those that the routes may name.</param>
internal sealed record RouteNames(Dictionary<string, Backend> Backends, ZoneTable Zones);
