using System.Text.Json;

namespace Tessera.EndToEnd.Harness;

/// <summary>One line of <c>ps --format json</c>.</summary>
public sealed record InstanceRow(
    string Name,
    string Service,
    string State,
    string Health,
    string Traffic,
    int Pid,
    int Restarts,
    string Address,
    string Json)
{
    public bool IsActive => Traffic == "active";

    public static InstanceRow Parse(string line)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        JsonElement row = document.RootElement;
        return new InstanceRow(
            Text(row, "Name"),
            Text(row, "Service"),
            Text(row, "State"),
            Text(row, "Health"),
            Text(row, "Traffic"),
            Number(row, "PID"),
            Number(row, "Restarts"),
            Text(row, "Address"),
            line);
    }

    private static string Text(JsonElement row, string key) =>
        row.GetProperty(key) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : "";

    private static int Number(JsonElement row, string key) =>
        row.GetProperty(key) is { ValueKind: JsonValueKind.Number } value ? value.GetInt32() : 0;
}
