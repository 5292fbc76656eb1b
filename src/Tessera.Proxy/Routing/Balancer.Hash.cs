using System.Buffers.Text;

namespace Tessera.Proxy.Routing;

/// <summary>
/// The algorithms that lead a client or a key to the same place each time. Places count whether
/// they can be taken or not, so that one which goes and comes back does not move the clients of the
/// others. Slow starts do not apply: what is hashed has no other place to be.
/// </summary>
internal static partial class Balancer
{
    /// <summary>
    /// Places that are looked at beyond the first before the choice falls back to turns, as nginx
    /// does.
    /// </summary>
    private const int MaxRehashes = 20;

    /// <summary>
    /// The same on the ring, where neighbouring points often belong to one place: with 19 of 20
    /// places out the last one is missed by two keys in a million.
    /// </summary>
    private const int MaxPointsPassed = 255;

    /// <summary>
    /// nginx's ip_hash: the first three octets of an IPv4 address or all of an IPv6 one, hashed on
    /// when the endpoint they lead to is out.
    /// </summary>
    private static Endpoint? PickByAddress(EndpointGroup group, in Selection selection)
    {
        ReadOnlySpan<byte> octets = selection.Client.IsIPv4
            ? selection.Client.Host[..3]
            : selection.Client.Host;
        uint hash = 89;
        for (int i = 0; i <= MaxRehashes && group.TotalWeight > 0; i++)
        {
            foreach (byte octet in octets)
            {
                hash = ((hash * 113) + octet) % 6_271;
            }

            if (group.PlaceAt(hash % group.TotalWeight).TryBegin(selection) is { } endpoint)
            {
                return endpoint;
            }
        }

        return PickLowest(group, selection, default);
    }

    /// <summary>
    /// nginx's hash, which is Cache::Memcached's: the upper bits of crc32([REHASH] KEY), where each
    /// further place is found by adding the hash of the key behind a number.
    /// </summary>
    private static Endpoint? PickByHash(EndpointGroup group, in Selection selection)
    {
        Span<byte> digits = stackalloc byte[4];
        uint hash = 0;
        for (int i = 0; i <= MaxRehashes && group.TotalWeight > 0; i++)
        {
            int length = 0;
            if (i > 0)
            {
                Utf8Formatter.TryFormat(i, digits, out length);
            }

            uint state = Crc32.Append(Crc32.Initial, digits[..length]);
            hash += (Crc32.Finish(Crc32.Append(state, selection.Key)) >> 16) & 0x7fff;
            if (group.PlaceAt(hash % group.TotalWeight).TryBegin(selection) is { } endpoint)
            {
                return endpoint;
            }
        }

        return PickLowest(group, selection, default);
    }

    /// <summary>nginx's hash … consistent: from the key's point on to the next place.</summary>
    private static Endpoint? PickOnRing(EndpointGroup group, in Selection selection)
    {
        HashRing ring = group.Ring!;
        int points = Math.Min(ring.Count, MaxPointsPassed + 1);
        int point = points == 0 ? 0 : ring.Find(Crc32.Of(selection.Key));
        int last = -1;
        for (int i = 0; i < points; i++)
        {
            int owner = ring.OwnerOf(point + i);
            if (owner != last
                && group.Places[owner].TryBegin(selection) is { } endpoint)
            {
                return endpoint;
            }

            last = owner;
        }

        return PickLowest(group, selection, default);
    }
}
