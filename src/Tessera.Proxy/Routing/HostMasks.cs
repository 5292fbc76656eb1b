using System.Diagnostics.CodeAnalysis;

namespace Tessera.Proxy.Routing;

/// <summary>
/// Values by masks of host names: <c>*.example.com</c>, <c>www.example.*</c> and
/// <c>.example.com</c>, which is the first and the name itself. Of those that fit the longest one
/// in front counts, then the longest one behind. Names are in lower case. Immutable once filled.
/// </summary>
internal sealed class HostMasks<T>
{
    private readonly Dictionary<string, T> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, T> _leading = new(StringComparer.Ordinal);
    private readonly Dictionary<string, T> _trailing = new(StringComparer.Ordinal);

    /// <summary>False for a text that is no mask. The first of a mask counts.</summary>
    public bool TryAdd(string mask, T value)
    {
        if (mask is ['.', _, ..])
        {
            _names.TryAdd(mask[1..], value);
            _leading.TryAdd(mask, value);
            return true;
        }

        if (mask.StartsWith("*.", StringComparison.Ordinal))
        {
            _leading.TryAdd(mask[1..], value);
            return true;
        }

        return mask.EndsWith(".*", StringComparison.Ordinal)
            && (_trailing.TryAdd(mask[..^1], value) || true);
    }

    public bool TryFind(ReadOnlySpan<char> name, [MaybeNullWhen(false)] out T value)
    {
        value = default;
        if (_names.Count > 0
            && _names.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out value))
        {
            return true;
        }

        return (_leading.Count > 0 && TryFindLeading(name, out value))
            || (_trailing.Count > 0 && TryFindTrailing(name, out value));
    }

    private bool TryFindLeading(ReadOnlySpan<char> name, [MaybeNullWhen(false)] out T value)
    {
        var lookup = _leading.GetAlternateLookup<ReadOnlySpan<char>>();
        for (int dot = 1; dot < name.Length; dot++)
        {
            if (name[dot] == '.' && lookup.TryGetValue(name[dot..], out value))
            {
                return true;
            }
        }

        value = default;
        return false;
    }

    private bool TryFindTrailing(ReadOnlySpan<char> name, [MaybeNullWhen(false)] out T value)
    {
        var lookup = _trailing.GetAlternateLookup<ReadOnlySpan<char>>();
        for (int dot = name.LastIndexOf('.'); dot > 0; dot = name[..dot].LastIndexOf('.'))
        {
            if (lookup.TryGetValue(name[..(dot + 1)], out value))
            {
                return true;
            }
        }

        value = default;
        return false;
    }
}
