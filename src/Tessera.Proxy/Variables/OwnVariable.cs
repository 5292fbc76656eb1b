using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Variables;

/// <summary>
/// A variable of a configuration, with a place of its own among the values of an exchange.
/// Immutable.
/// </summary>
internal abstract class OwnVariable(string name, int slot)
{
    public string Name { get; } = name;

    public int Slot { get; } = slot;

    /// <summary>It is computed each time it is asked for, not once for each request.</summary>
    public virtual bool IsVolatile => false;

    /// <summary>It is not there, rather than empty, as long as nothing has set it.</summary>
    public virtual bool IsUnknownUntilSet => false;

    /// <summary>What it is for this request.</summary>
    public abstract void Compute(ref ByteWriter writer, Exchange exchange);
}

/// <summary>Empty until something sets it.</summary>
internal sealed class SetVariable(SetVariableConfig config, int slot)
    : OwnVariable(config.Name, slot)
{
    public override bool IsUnknownUntilSet => config.IsUnknownUntilSet;

    /// <summary>Asked for before it was set: nginx's uninitialized_variable_warn.</summary>
    public override void Compute(ref ByteWriter writer, Exchange exchange)
    {
        if (!IsUnknownUntilSet && exchange.Server is not null
            && exchange.Route?.Config.Location is { WarnsOfUnset: true })
        {
            exchange.Client.TellUnset(exchange, Name);
        }
    }
}
