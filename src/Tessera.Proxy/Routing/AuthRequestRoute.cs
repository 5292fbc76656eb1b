using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>nginx's auth_request, made ready once. Immutable.</summary>
internal sealed class AuthRequestRoute(AuthRequestConfig config)
{
    public Template Uri { get; } = Template.Parse(config.Uri);

    /// <summary>Either this or what a gate asks for is enough.</summary>
    public bool IsAlternative { get; } = config.IsAlternative;

    /// <summary>Set from the answer, in their order.</summary>
    public (Template Value, OwnVariable Variable)[] Variables { get; } =
    [
        .. config.Variables.Select(set => (
            Template.Parse(set.Value),
            VariableScope.Current.Find(set.Variable)
                ?? throw new UnknownVariableException(set.Variable))),
    ];
}
