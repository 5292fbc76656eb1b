namespace Tessera.Stack.Compose.Schema;

/// <summary>The key <c>x-tessera</c> of a service: what Compose has no word for.</summary>
internal static class TesseraSchema
{
    public const string Name = "x-tessera";

    /// <summary>Top level of the document that travels to the daemon; people never see
    /// it.</summary>
    public const string SourceName = "x-tessera-source";

    private static readonly RecordShape Endpoint = new(
        new Key("address", ScalarShape.String),
        new Key("weight", ScalarShape.Integer))
    {
        AllowsExtensions = false,
        Required = ["address"],
        Expand = (node, _, _) =>
            node.AsString is null ? null : ShortForms.Record(node, ("address", node)),
    };

    public static RecordShape Options { get; } = new(
        new Key("endpoints", new ListShape(Endpoint)
        {
            Identity = node => CommonShapes.TextOf(node, "address"),
        }),
        new Key("balance", ScalarShape.OneOf("round_robin", "least_conn", "ip_hash")),
        new Key("weights", new ListShape(ScalarShape.Integer) { IsReplaced = true }),
        new Key("port", ScalarShape.Integer),
        new Key("drain_timeout", ScalarShape.Duration),
        new Key("start_timeout", ScalarShape.Duration),
        new Key("hold_timeout", ScalarShape.Duration),
        new Key("hold_queue", ScalarShape.Integer, Keep.Yes),
        new Key("connect_timeout", ScalarShape.Duration),
        new Key("read_timeout", ScalarShape.Duration)) { AllowsExtensions = false };
}
