namespace Tessera.Proxy.Flow;

/// <summary>
/// The zones by name. A zone lives as long as a route uses it, so its buckets and counts live on
/// from one configuration to the next; one whose size is changed begins anew. Owned by whoever
/// applies configurations, one at a time.
/// </summary>
internal sealed class ZoneTable
{
    private readonly Dictionary<string, WeakReference<RateZone>> _rates =
        new(StringComparer.Ordinal);

    private readonly Dictionary<string, WeakReference<ConnectionZone>> _connections =
        new(StringComparer.Ordinal);

    public RateZone Rate(string name, int maxKeys) =>
        Find(_rates, name, z => z.MaxKeys == maxKeys, () => new RateZone(maxKeys));

    public ConnectionZone Connection(string name, int maxKeys) =>
        Find(_connections, name, z => z.MaxKeys == maxKeys, () => new ConnectionZone(maxKeys));

    private static T Find<T>(
        Dictionary<string, WeakReference<T>> zones,
        string name,
        Predicate<T> isFit,
        Func<T> create)
        where T : class
    {
        if (zones.TryGetValue(name, out WeakReference<T>? known)
            && known.TryGetTarget(out T? zone) && isFit(zone))
        {
            return zone;
        }

        // Names that no route uses any more go with the next new one.
        foreach (string gone in zones
            .Where(z => !z.Value.TryGetTarget(out _)).Select(z => z.Key).ToArray())
        {
            zones.Remove(gone);
        }

        zone = create();
        zones[name] = new WeakReference<T>(zone);
        return zone;
    }
}
