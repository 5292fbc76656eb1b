using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tessera.Cli;

/// <summary><c>tessera events</c>: what happens to instances, as it happens.</summary>
internal static class EventsCommand
{
    public static Command Create(Func<ParseResult, Session> open)
    {
        var json = new Option<bool>("--json") { Description = "One JSON object a line" };
        Argument<string[]> services = Arguments.Services(open);
        var command = new Command("events", "Show what happens to instances, as it happens")
        {
            json, services,
        };
        command.SetAction(async (parse, _) =>
        {
            Session session = open(parse);
            string project = session.ResolveProjectName();
            ImmutableArray<string> names = session.CheckServices(parse.GetValue(services) ?? []);
            if (await session.ConnectIfUsefulAsync(project) is not { } controller)
            {
                return ExitCode.Ok;
            }

            using var watch = new ReaderWatch(session);
            try
            {
                await PrintAsync(
                    session.Output,
                    controller.EventsAsync(project, watch.Token)
                        .Where(change => names.IsEmpty || names.Contains(change.Slot.Service)),
                    parse.GetValue(json) ? ToJson : ToText);
            }
            catch (OperationCanceledException) when (watch.IsReaderGone)
            {
                // Whoever read our output has seen enough.
            }

            return ExitCode.Ok;
        });
        return command;
    }

    private static async Task PrintAsync(
        TextWriter output, IAsyncEnumerable<InstanceEvent> events,
        Func<InstanceEvent, string> format)
    {
        await foreach (InstanceEvent change in events)
        {
            await output.WriteLineAsync(format(change));
            await output.FlushAsync(CancellationToken.None);
        }
    }

    internal static string ToText(InstanceEvent change)
    {
        string time = change.Time.ToLocalTime().ToString(
            "yyyy-MM-dd HH:mm:ss.ffffff", CultureInfo.InvariantCulture);
        IEnumerable<string> attributes =
            AttributesOf(change).Select(pair => $"{pair.Key}={pair.Value}");
        return $"{time} instance {change.Action} {change.Id} ({string.Join(", ", attributes)})";
    }

    internal static string ToJson(InstanceEvent change) => JsonSerializer.Serialize(
        new EventLine(
            change.Time,
            "instance",
            change.Slot.Service,
            change.Id,
            change.Action,
            AttributesOf(change)),
        EventJson.Default.EventLine);

    private static ImmutableSortedDictionary<string, string> AttributesOf(InstanceEvent change) =>
        change.Attributes.SetItem("name", change.Slot.ToString());
}

/// <summary>Wire form of <c>events --json</c>.</summary>
internal sealed record EventLine(
    DateTimeOffset Time,
    string Type,
    string Service,
    string Id,
    string Action,
    ImmutableSortedDictionary<string, string> Attributes);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(EventLine))]
internal sealed partial class EventJson : JsonSerializerContext;
