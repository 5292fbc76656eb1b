namespace Tessera.Proxy.Routing;

/// <summary>
/// What the hash algorithms lead to. It stays when its endpoint goes, so that the clients of the
/// others stay where they are, and the next endpoint in it gets the clients of the last. Immutable.
/// </summary>
/// <param name="Endpoints">In the order in which they are tried; empty while nothing is there.
/// </param>
internal sealed record Place(string Name, int Weight, Endpoint[] Endpoints)
{
    /// <summary>
    /// The wanted places with those endpoints that name them; without any, those that the endpoints
    /// name, or else one for each.
    /// </summary>
    public static Place[] Assign(Endpoint[] endpoints, ReadOnlySpan<PlaceConfig> wanted)
    {
        ILookup<string, Endpoint> byName = endpoints.ToLookup(NameOf, StringComparer.Ordinal);
        if (wanted.IsEmpty)
        {
            return [.. byName.Select(g => new Place(g.Key, g.Max(e => e.Weight), [.. g]))];
        }

        var places = new Place[wanted.Length];
        for (int i = 0; i < places.Length; i++)
        {
            places[i] = new Place(
                wanted[i].Name, Math.Max(wanted[i].Weight, 0), [.. byName[wanted[i].Name]]);
        }

        return places;
    }

    /// <summary>Null when nothing in it may be taken now.</summary>
    public Endpoint? TryBegin(in Selection selection)
    {
        foreach (Endpoint endpoint in Endpoints)
        {
            if (endpoint.Weight > 0 && !selection.Excludes(endpoint) && endpoint.TryBegin())
            {
                return endpoint;
            }
        }

        return null;
    }

    private static string NameOf(Endpoint endpoint) =>
        endpoint.Config.Place ?? endpoint.Config.Address.ToString();
}
