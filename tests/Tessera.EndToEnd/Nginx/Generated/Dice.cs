namespace Tessera.EndToEnd.Nginx.Generated;

/// <summary>Choices that one seed decides. One flow uses it at a time.</summary>
internal sealed class Dice(int seed)
{
    private readonly Random _random = new(seed);

    /// <summary>0 or more, and less than <paramref name="limit"/>.</summary>
    public int Below(int limit) => _random.Next(limit);

    /// <summary>True once in so many throws.</summary>
    public bool Once(int of) => _random.Next(of) == 0;

    public string Pick(params ReadOnlySpan<string> all) => all[_random.Next(all.Length)];

    /// <summary>So many results, each of a throw of its own, one behind the other.</summary>
    public string Several(int most, Func<string> make) =>
        string.Concat(Enumerable.Range(0, _random.Next(most + 1)).Select(_ => make()));
}
