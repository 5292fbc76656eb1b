namespace Tessera.Proxy.Health;

/// <summary>
/// Looks for a text in bytes that come in pieces, and keeps none of them: Knuth, Morris and Pratt's
/// automaton. Owned by one reactor.
/// </summary>
internal sealed class TextSearch
{
    private readonly byte[] _text;

    /// <summary>
    /// For each length of a match, the longest shorter one that ends at the same byte.
    /// </summary>
    private readonly int[] _shorter;

    private int _matched;

    public TextSearch(byte[] text)
    {
        _text = text;
        _shorter = new int[text.Length + 1];
        int matched = 0;
        for (int i = 1; i < text.Length; i++)
        {
            while (matched > 0 && text[i] != text[matched])
            {
                matched = _shorter[matched];
            }

            matched += text[i] == text[matched] ? 1 : 0;
            _shorter[i + 1] = matched;
        }
    }

    public bool IsFound => _matched == _text.Length;

    public void Restart() => _matched = 0;

    /// <summary>Goes on behind the last piece; true once the text was there.</summary>
    public bool Feed(ReadOnlySpan<byte> piece)
    {
        foreach (byte value in piece)
        {
            if (IsFound)
            {
                break;
            }

            while (_matched > 0 && value != _text[_matched])
            {
                _matched = _shorter[_matched];
            }

            _matched += value == _text[_matched] ? 1 : 0;
        }

        return IsFound;
    }
}
