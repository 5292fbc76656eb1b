using System.Collections.Immutable;
using Tessera.Proxy.Answers;

namespace Tessera.Proxy;

/// <summary>
/// How the bytes of one charset are written in another, both ways: nginx's charset_map. What is
/// made of it is made once, whoever uses it.
/// </summary>
public sealed class CharsetMapConfig
{
    private readonly Lazy<CharsetTable> _there;
    private readonly Lazy<CharsetTable> _back;

    /// <param name="from">A charset of one byte for each character.</param>
    /// <param name="to">Another of that kind, or utf-8.</param>
    /// <param name="pairs">Bytes of the first, and what each is in the second.</param>
    public CharsetMapConfig(string from, string to, ImmutableArray<CharsetPair> pairs)
    {
        From = from;
        To = to;
        Pairs = pairs;
        _there = new Lazy<CharsetTable>(() => CharsetTable.There(this));
        _back = new Lazy<CharsetTable>(() => CharsetTable.Back(this));
    }

    public string From { get; }

    public string To { get; }

    public ImmutableArray<CharsetPair> Pairs { get; }

    /// <summary>The second charset is UTF-8.</summary>
    public bool IsToUtf8 => To.Equals("utf-8", StringComparison.OrdinalIgnoreCase);

    internal CharsetTable There => _there.Value;

    internal CharsetTable Back => _back.Value;
}

/// <param name="Text">One byte, or up to four that are one character in UTF-8.</param>
public sealed record CharsetPair(byte Byte, ImmutableArray<byte> Text);
