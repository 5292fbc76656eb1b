using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Schema;

/// <summary>The Compose Specification as shapes: the document's top level.</summary>
internal static class ComposeSchema
{
    public static RecordShape Network { get; } = new(
        new Key("name", ScalarShape.String),
        new Key("driver", ScalarShape.String),
        new Key("driver_opts", DriverOptions),
        new Key("ipam", new RecordShape(
            new Key("driver", ScalarShape.String),
            new Key("config", new ListShape(new RecordShape(
                new Key("subnet", ScalarShape.String),
                new Key("gateway", ScalarShape.String),
                new Key("ip_range", ScalarShape.String),
                new Key("aux_addresses", StringMap)))),
            new Key("options", StringMap)), Keep.ExceptInYaml),
        new Key("external", External),
        new Key("internal", ScalarShape.Boolean),
        new Key("attachable", ScalarShape.Boolean),
        new Key("labels", Mapping),
        new Key("enable_ipv4", ScalarShape.Boolean, Keep.Yes),
        new Key("enable_ipv6", ScalarShape.Boolean, Keep.Yes)) { AllowsNull = true };

    public static RecordShape Volume { get; } = new(
        new Key("name", ScalarShape.String),
        new Key("driver", ScalarShape.String),
        new Key("driver_opts", DriverOptions),
        new Key("external", External),
        new Key("labels", Mapping)) { AllowsNull = true };

    /// <summary>A secret or a config.</summary>
    public static RecordShape FileObject { get; } = new(
        new Key("name", ScalarShape.String),
        new Key("file", ScalarShape.String),
        new Key("environment", ScalarShape.String),
        new Key("content", ScalarShape.String),
        new Key("external", External),
        new Key("labels", Mapping),
        new Key("driver", ScalarShape.String),
        new Key("driver_opts", DriverOptions),
        new Key("template_driver", ScalarShape.String));

    public static RecordShape Model { get; } = new(
        new Key("name", ScalarShape.String),
        new Key("model", ScalarShape.String),
        new Key("context_size", ScalarShape.Integer),
        new Key("runtime_flags", StringList)) { Required = ["model"] };

    private static readonly RecordShape Include = new(
        new Key("path", StringOrList),
        new Key("env_file", StringOrList),
        new Key("project_directory", ScalarShape.String))
    {
        AllowsExtensions = false,
        Required = ["path"],
        Expand = (node, _, _) =>
            node.AsString is null ? null : ShortForms.Record(node, ("path", node)),
    };

    public static RecordShape Document { get; } = new(
        new Key("version", ScalarShape.String),
        new Key("name", ScalarShape.String),
        new Key("include", new ListShape(Include)),
        new Key("services", Named(ServiceSchema.Service), Keep.Yes),
        new Key("networks", Named(Network), IsPending: true),
        new Key("volumes", Named(Volume), IsPending: true),
        new Key("secrets", Named(FileObject), IsPending: true),
        new Key("configs", Named(FileObject), IsPending: true),
        new Key("models", Named(Model), IsPending: true),
        new Key(TesseraSchema.Name, TesseraSchema.ProjectOptions)) { KeepsExtensionsInJson = true };
}
