namespace Tessera.Proxy.Variables;

/// <summary>Makes a variable of what a configuration says of it. Stateless.</summary>
internal static class VariableFactory
{
    public static OwnVariable Create(VariableConfig config, int slot) => config switch
    {
        SetVariableConfig set => new SetVariable(set, slot),
        MapConfig map => new MapVariable(map, slot),
        GeoConfig geo => new GeoVariable(geo, slot),
        SplitConfig split => new SplitVariable(split, slot),
        _ => throw new InvalidOperationException($"{config.GetType().Name} has no variable"),
    };
}
