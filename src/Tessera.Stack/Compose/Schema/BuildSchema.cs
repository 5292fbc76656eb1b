using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Schema;

/// <summary>The key <c>build</c> of a service.</summary>
internal static class BuildSchema
{
    public static RecordShape Build { get; } = new(
        new Key("context", ScalarShape.String),
        new Key("dockerfile", ScalarShape.String),
        new Key("dockerfile_inline", ScalarShape.String),
        new Key("entitlements", StringSet),
        new Key("args", VariableMapping),
        new Key("provenance", ScalarShape.TextOrBoolean),
        new Key("sbom", ScalarShape.TextOrBoolean),
        new Key("ssh", new SshShape()),
        new Key("labels", Mapping),
        new Key("cache_from", StringList),
        new Key("cache_to", StringList),
        new Key("no_cache", ScalarShape.Boolean),
        new Key("additional_contexts", Mapping),
        new Key("pull", ScalarShape.Boolean),
        new Key("extra_hosts", ExtraHosts),
        new Key("isolation", ScalarShape.String),
        new Key("network", ScalarShape.String),
        new Key("target", ScalarShape.String),
        new Key("secrets", FileReferences("/run/secrets")),
        new Key("shm_size", ScalarShape.Bytes),
        new Key("tags", StringSet),
        new Key("ulimits", Ulimits),
        new Key("platforms", StringSet),
        new Key("privileged", ScalarShape.Boolean))
    {
        Expand = (node, _, _) =>
            node.AsString is null ? null : ShortForms.Record(node, ("context", node)),
    };
}
