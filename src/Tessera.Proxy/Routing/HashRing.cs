using System.Buffers.Binary;
using System.Text;

namespace Tessera.Proxy.Routing;

/// <summary>
/// The ring of consistent hashing, as nginx's hash … consistent and Cache::Memcached::Fast make it:
/// each place has 160 points for each unit of its weight, and a key belongs to the first point at
/// or behind its own. A place that goes gives its keys to its neighbours and moves no others.
/// Immutable.
/// </summary>
internal sealed class HashRing
{
    private const int PointsPerWeight = 160;

    /// <summary>Larger sums of weights are scaled down to it: 8 MiB.</summary>
    private const int MaxPoints = 1 << 20;

    private readonly (string Name, int Weight)[] _places;
    private readonly uint[] _hashes;
    private readonly int[] _owners;

    public HashRing(Place[] places)
    {
        _places = Array.ConvertAll(places, p => (p.Name, p.Weight));
        long weight = places.Sum(p => (long)p.Weight);
        var points = new List<(uint Hash, int Owner)>();
        for (int i = 0; i < places.Length; i++)
        {
            AddPoints(points, i, places[i], weight);
        }

        // Of two places with a point in common the first has it.
        points.Sort();
        (uint Hash, int Owner)[] distinct = [.. points.DistinctBy(p => p.Hash)];
        _hashes = Array.ConvertAll(distinct, p => p.Hash);
        _owners = Array.ConvertAll(distinct, p => p.Owner);
    }

    public int Count => _hashes.Length;

    public bool IsOf(Place[] places) =>
        _places.AsSpan().SequenceEqual(Array.ConvertAll(places, p => (p.Name, p.Weight)));

    /// <summary>First point at or behind a hash; the ring must not be empty.</summary>
    public int Find(uint hash)
    {
        int found = Array.BinarySearch(_hashes, hash);
        return (found < 0 ? ~found : found) % _hashes.Length;
    }

    /// <summary>
    /// Index of the place to which a point belongs; points count on round the ring.
    /// </summary>
    public int OwnerOf(int point) => _owners[point % _owners.Length];

    /// <summary>
    /// Hashes are chained: crc32(HOST \0 PORT PREVIOUS), where the first has the previous 0.
    /// </summary>
    private static void AddPoints(
        List<(uint Hash, int Owner)> points, int index, Place place, long totalWeight)
    {
        (byte[] host, byte[] port) = Split(place.Name);
        uint state = Crc32.Append(Crc32.Append(Crc32.Append(Crc32.Initial, host), [0]), port);
        Span<byte> previous = stackalloc byte[4];
        previous.Clear();
        long count = (long)place.Weight * PointsPerWeight;
        if (totalWeight * PointsPerWeight > MaxPoints)
        {
            count = Math.Max((long)place.Weight * MaxPoints / totalWeight, Math.Min(count, 1));
        }

        for (long i = 0; i < count; i++)
        {
            uint hash = Crc32.Finish(Crc32.Append(state, previous));
            points.Add((hash, index));
            BinaryPrimitives.WriteUInt32LittleEndian(previous, hash);
        }
    }

    /// <summary>What stands behind the last colon is a port when it is digits alone.</summary>
    private static (byte[] Host, byte[] Port) Split(string name)
    {
        int colon = name.LastIndexOf(':');
        bool hasPort = colon >= 0 && !name.AsSpan(colon + 1).ContainsAnyExceptInRange('0', '9');
        return hasPort
            ? (Encoding.UTF8.GetBytes(name[..colon]), Encoding.UTF8.GetBytes(name[(colon + 1)..]))
            : (Encoding.UTF8.GetBytes(name), []);
    }
}
