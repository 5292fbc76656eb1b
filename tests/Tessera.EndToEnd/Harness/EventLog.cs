using System.Globalization;
using System.Text.Json;
using Shouldly;

namespace Tessera.EndToEnd.Harness;

/// <summary>One line of <c>events --json</c>.</summary>
public sealed record LifeEvent(DateTimeOffset Time, string Action, string Service, string Json)
{
    public static LifeEvent Parse(string line)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        JsonElement root = document.RootElement;
        return new LifeEvent(
            DateTimeOffset.Parse(
                root.GetProperty("time").GetString()!, CultureInfo.InvariantCulture),
            root.GetProperty("action").GetString()!,
            root.GetProperty("service").GetString()!,
            line);
    }
}

/// <summary>Follows <c>events --json</c> of a project in the background.</summary>
public sealed class EventLog : IAsyncDisposable
{
    private readonly RunningCommand _command;

    private EventLog(RunningCommand command) => _command = command;

    /// <summary>What came so far; the line that is just being written is left out.</summary>
    public IReadOnlyList<LifeEvent> Events
    {
        get
        {
            string output = _command.Output;
            string whole = output[..(output.LastIndexOf('\n') + 1)];
            return
            [
                .. whole.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(LifeEvent.Parse),
            ];
        }
    }

    /// <summary>
    /// Starts to follow. Events have no beginning that a follower could see, so this asks the
    /// project for a harmless one until it arrives: <paramref name="poke"/> has to cause an event.
    /// </summary>
    public static async Task<EventLog> FollowAsync(ComposeProject project, Func<Task> poke)
    {
        var log = new EventLog(project.Start("events", "--json"));
        await Eventually.HoldsAsync(
            "events arrive",
            async () =>
            {
                log._command.HasExited.ShouldBeFalse(log._command.Errors);
                await poke();
                await Task.Delay(100);
                return log.Events.Count > 0;
            });
        return log;
    }

    /// <summary>The first event of that kind after a point in time.</summary>
    public Task<LifeEvent> UntilAsync(
        string action, DateTimeOffset after, string service = "", TimeSpan? limit = null) =>
        Eventually.GetAsync(
            $"event '{action}' {service} after {after:HH:mm:ss.fff}; got: "
            + string.Join(' ', Events.Select(e => e.Action)),
            () => Task.FromResult(Events.FirstOrDefault(e =>
                e.Action == action && e.Time >= after && (service is "" || e.Service == service))),
            limit);

    public ValueTask DisposeAsync() => _command.DisposeAsync();
}
