using System.Collections.Immutable;
using Tessera.Stack.Discovery;

namespace Tessera.Api.Contracts;

/// <summary>One line of <c>events</c>.</summary>
/// <param name="Action">
/// create, start, ready, unhealthy, healthy, drain, stop, die, fail, destroy.
/// </param>
public sealed record InstanceEvent(
    DateTimeOffset Time,
    string Action,
    string Id,
    SlotName Slot,
    ImmutableSortedDictionary<string, string> Attributes);
