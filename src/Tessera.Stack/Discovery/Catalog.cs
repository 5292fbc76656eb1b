using System.Collections.Immutable;
using System.Threading.Channels;

namespace Tessera.Stack.Discovery;

/// <summary>All instances of one moment, by id.</summary>
public sealed record CatalogSnapshot(ImmutableSortedDictionary<string, Instance> Instances);

/// <summary>
/// One change: <paramref name="Before"/> is null for a new instance, <paramref name="After"/> for a
/// removed one.
/// </summary>
public sealed record CatalogChange(Instance? Before, Instance? After)
{
    public Instance Subject => After ?? Before!;
}

/// <summary>
/// All instances that are known, as one immutable snapshot, and the stream of its changes. Whoever
/// wants to follow starts from a snapshot and gets every change after it. Safe from any thread.
/// </summary>
public sealed class Catalog
{
    /// <summary>
    /// A subscriber that is this far behind loses its subscription, not the others' time.
    /// </summary>
    public const int MaxPendingChanges = 16_384;

    private readonly Lock _lock = new();
    private readonly List<Channel<CatalogChange>> _subscribers = [];
    private readonly List<Action<CatalogChange>> _observers = [];
    private CatalogSnapshot _current =
        new(ImmutableSortedDictionary.Create<string, Instance>(StringComparer.Ordinal));

    public CatalogSnapshot Current => Volatile.Read(ref _current);

    /// <summary>
    /// Calls <paramref name="observer"/> on the reporting thread, within the report: when
    /// <see cref="Report"/> returns, every observer has acted. It must be quick and must not throw.
    /// </summary>
    public void Observe(Action<CatalogChange> observer)
    {
        lock (_lock)
        {
            _observers.Add(observer);
        }
    }

    /// <summary>
    /// Records the newest state of an instance. A state that would go back is a bug and throws.
    /// </summary>
    public void Report(Instance instance)
    {
        lock (_lock)
        {
            _current.Instances.TryGetValue(instance.Id, out Instance? before);
            if (before is not null && before.State > instance.State)
            {
                throw new InvalidOperationException(
                    $"{instance.Name} ({instance.Id}) cannot go from {before.State} to "
                    + $"{instance.State}");
            }

            if (before != instance)
            {
                Publish(_current.Instances.SetItem(instance.Id, instance), before, instance);
            }
        }
    }

    /// <summary>Forgets an instance; unknown ids are ignored.</summary>
    public void Remove(string id)
    {
        lock (_lock)
        {
            if (_current.Instances.TryGetValue(id, out Instance? before))
            {
                Publish(_current.Instances.Remove(id), before, null);
            }
        }
    }

    /// <summary>
    /// The snapshot of now and every change after it. Dispose it to stop following.
    /// </summary>
    public CatalogSubscription Subscribe()
    {
        var channel = Channel.CreateBounded<CatalogChange>(
            new BoundedChannelOptions(MaxPendingChanges) { SingleReader = true });
        lock (_lock)
        {
            _subscribers.Add(channel);
            return new CatalogSubscription(_current, channel.Reader, () => Unsubscribe(channel));
        }
    }

    /// <summary>
    /// The first snapshot that satisfies <paramref name="condition"/>, now or later.
    /// </summary>
    /// <exception cref="OperationCanceledException">It did not happen before the
    /// cancellation.</exception>
    public async Task<CatalogSnapshot> WaitAsync(
        Func<CatalogSnapshot, bool> condition, CancellationToken cancellation)
    {
        using CatalogSubscription subscription = Subscribe();
        CatalogSnapshot snapshot = subscription.Snapshot;
        while (!condition(snapshot))
        {
            await subscription.Changes.ReadAsync(cancellation);
            snapshot = Current;
        }

        return snapshot;
    }

    private void Publish(
        ImmutableSortedDictionary<string, Instance> instances, Instance? before, Instance? after)
    {
        var change = new CatalogChange(before, after);
        Volatile.Write(ref _current, new CatalogSnapshot(instances));
        foreach (Action<CatalogChange> observer in _observers)
        {
            observer(change);
        }

        for (int i = _subscribers.Count - 1; i >= 0; i--)
        {
            if (!_subscribers[i].Writer.TryWrite(change))
            {
                _subscribers[i].Writer.TryComplete(new InvalidOperationException(
                    $"this follower is more than {MaxPendingChanges} changes behind"));
                _subscribers.RemoveAt(i);
            }
        }
    }

    private void Unsubscribe(Channel<CatalogChange> channel)
    {
        lock (_lock)
        {
            _subscribers.Remove(channel);
        }
    }
}

/// <summary>
/// One follower of a catalog. <see cref="Changes"/> completes with an
/// <see cref="InvalidOperationException"/> when it fell <see cref="Catalog.MaxPendingChanges"/>
/// behind.
/// </summary>
public sealed class CatalogSubscription(
    CatalogSnapshot snapshot, ChannelReader<CatalogChange> changes, Action unsubscribe)
        : IDisposable
{
    public CatalogSnapshot Snapshot { get; } = snapshot;

    public ChannelReader<CatalogChange> Changes { get; } = changes;

    public void Dispose() => unsubscribe();
}
