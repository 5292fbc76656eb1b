using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Schema;

/// <summary>Options of a logging driver mean nothing to another: they merge within one driver.</summary>
internal sealed class LoggingShape(params Key[] keys) : RecordShape(keys)
{
    public override Node Merge(Node earlier, Node later)
    {
        string before = CommonShapes.TextOf(earlier, "driver");
        string after = CommonShapes.TextOf(later, "driver");
        return before.Length == 0 || after.Length == 0 || before == after
            ? base.Merge(earlier, later)
            : later;
    }
}
