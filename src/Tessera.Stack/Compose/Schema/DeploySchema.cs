using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Schema;

/// <summary>The key <c>deploy</c> of a service.</summary>
internal static class DeploySchema
{
    private static readonly RecordShape DeviceRequest = new(
        new Key("capabilities", StringList),
        new Key("driver", ScalarShape.String),
        new Key("count", ScalarShape.Count),
        new Key("device_ids", StringList),
        new Key("options", Mapping));

    private static readonly RecordShape UpdateConfig = new(
        new Key("parallelism", ScalarShape.Integer, Keep.Yes),
        new Key("delay", ScalarShape.Duration),
        new Key("failure_action", ScalarShape.String),
        new Key("monitor", ScalarShape.Duration),
        new Key("max_failure_ratio", ScalarShape.Number),
        new Key("order", ScalarShape.OneOf("start-first", "stop-first")));

    private static readonly RecordShape Resources = new(
        new Key("limits", new RecordShape(
            new Key("cpus", ScalarShape.Text),
            new Key("memory", ScalarShape.Bytes),
            new Key("pids", ScalarShape.Integer))),
        new Key("reservations", new RecordShape(
            new Key("cpus", ScalarShape.Text),
            new Key("memory", ScalarShape.Bytes),
            new Key("devices", new ListShape(DeviceRequest)),
            new Key("generic_resources", new ListShape(new RecordShape(
                new Key("discrete_resource_spec", new RecordShape(
                    new Key("kind", ScalarShape.String, Keep.Yes),
                    new Key("value", ScalarShape.Integer, Keep.Yes)))))))));

    private static readonly RecordShape Placement = new(
        new Key("constraints", StringList),
        new Key("preferences", new ListShape(new RecordShape(
            new Key("spread", ScalarShape.String)))),
        new Key("max_replicas_per_node", ScalarShape.Integer));

    public static ListShape Gpus { get; } = new(DeviceRequest)
    {
        Split = (node, path, problems) =>
        {
            if (node.AsString == "all")
            {
                return new Yaml.SequenceNode(
                    node.Position, [ShortForms.Record(node, ("count", -1L))]);
            }

            problems.Add(node.Position, $"{path} must be \"all\" or a list");
            return null;
        },
    };

    public static RecordShape Deploy { get; } = new(
        Pending("mode", ScalarShape.String),
        new Key("replicas", ScalarShape.Integer, Keep.Yes),
        Pending("labels", Mapping),
        Pending("update_config", UpdateConfig),
        Pending("rollback_config", UpdateConfig),
        new Key("resources", Resources, Keep.ExceptInYaml, IsPending: true),
        Pending("restart_policy", new RecordShape(
            new Key("condition", ScalarShape.String),
            new Key("delay", ScalarShape.Duration),
            new Key("max_attempts", ScalarShape.Integer, Keep.Yes),
            new Key("window", ScalarShape.Duration))),
        new Key("placement", Placement, Keep.ExceptInYaml, IsPending: true),
        Pending("endpoint_mode", ScalarShape.String)) { AllowsNull = true };

    private static Key Pending(string name, Shape shape) => new(name, shape, IsPending: true);
}
