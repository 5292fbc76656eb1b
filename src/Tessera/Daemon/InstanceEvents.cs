using System.Collections.Immutable;
using System.Globalization;
using Tessera.Stack.Discovery;

namespace Tessera.Daemon;

/// <summary>Names a change of the catalog as <c>events</c> prints it. Pure.</summary>
internal static class InstanceEvents
{
    /// <summary>
    /// The events that a change is: none for one that is nobody's news, several where an instance
    /// takes several steps at once, as one does that is ready as soon as it runs.
    /// </summary>
    public static IEnumerable<InstanceEvent> Of(CatalogChange change, DateTimeOffset now)
    {
        Instance instance = change.Subject;
        ImmutableSortedDictionary<string, string> attributes = Attributes(instance);
        if (change.Before is null)
        {
            yield return new InstanceEvent(
                now, "create", instance.Id, instance.Slot, attributes);
        }

        if (change is { Before: null or { StartedAt: null }, After.StartedAt: not null })
        {
            yield return new InstanceEvent(now, "start", instance.Id, instance.Slot, attributes);
        }

        if (Action(change.Before, change.After) is { } action)
        {
            yield return new InstanceEvent(now, action, instance.Id, instance.Slot, attributes);
        }
    }

    private static string? Action(Instance? before, Instance? after)
    {
        if (after is null)
        {
            return "destroy";
        }

        if (before?.State != after.State)
        {
            return after.State switch
            {
                InstanceState.Running => "ready",
                InstanceState.Draining => "drain",
                InstanceState.Stopping => "stop",
                InstanceState.Exited => "die",
                InstanceState.Failed => "fail",
                _ => null,
            };
        }

        return (before!.Health, after.Health) switch
        {
            (not InstanceHealth.Unhealthy, InstanceHealth.Unhealthy) => "unhealthy",
            (InstanceHealth.Unhealthy, InstanceHealth.Healthy) => "healthy",
            _ => null,
        };
    }

    private static ImmutableSortedDictionary<string, string> Attributes(Instance instance)
    {
        var attributes = ImmutableSortedDictionary.CreateBuilder<string, string>(
            StringComparer.Ordinal);
        attributes["name"] = instance.Name;
        attributes["service"] = instance.Slot.Service;
        if (instance.Pid is { } pid)
        {
            attributes["pid"] = pid.ToString(CultureInfo.InvariantCulture);
        }

        if (instance.ExitCode is { } code)
        {
            attributes["exitCode"] = code.ToString(CultureInfo.InvariantCulture);
        }

        if (instance.Reason.Length > 0)
        {
            attributes["reason"] = instance.Reason;
        }

        return attributes.ToImmutable();
    }
}
