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

    /// <summary>What it is for this request.</summary>
    public abstract void Compute(ref ByteWriter writer, Exchange exchange);
}

/// <summary>Empty until something sets it.</summary>
internal sealed class SetVariable(string name, int slot) : OwnVariable(name, slot)
{
    public override void Compute(ref ByteWriter writer, Exchange exchange)
    {
    }
}
