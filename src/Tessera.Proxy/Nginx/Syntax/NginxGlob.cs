using System.Buffers;
using System.Text;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// The names that a pattern stands for: glob(3) and fnmatch(3) in the C locale. Stateless.
/// </summary>
internal static class NginxGlob
{
    /// <summary>What makes a name a pattern for nginx.</summary>
    private static readonly SearchValues<char> Marks = SearchValues.Create("*?[");

    public static bool IsPattern(ReadOnlySpan<char> name) => name.ContainsAny(Marks);

    /// <summary>
    /// What there is, in the order of names. Folders that cannot be read have nothing in them, as
    /// for glob(3) without GLOB_ERR.
    /// </summary>
    /// <param name="pattern">Absolute.</param>
    public static IEnumerable<string> Find(string pattern)
    {
        IEnumerable<string> found = ["/"];
        foreach (string segment in pattern.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            found = IsPattern(segment)
                ? found.SelectMany(folder => Entries(folder, segment))
                : found.Select(folder => Path.Combine(folder, Unescape(segment)));
        }

        return found.Where(Path.Exists).Order(StringComparer.Ordinal);
    }

    /// <summary>Segment by segment, so that "/" is matched by itself alone.</summary>
    public static bool Fits(string name, string pattern)
    {
        string[] names = name.Split('/');
        string[] segments = pattern.Split('/');
        return names.Length == segments.Length
            && names.Zip(segments).All(pair => FitsSegment(pair.First, pair.Second));
    }

    private static string[] Entries(string folder, string segment)
    {
        try
        {
            return [.. Directory.EnumerateFileSystemEntries(folder)
                .Where(entry => FitsSegment(Path.GetFileName(entry), segment))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>
    /// A dot in front has to be written. Of several stars only the last one is ever made longer,
    /// which is enough.
    /// </summary>
    private static bool FitsSegment(ReadOnlySpan<char> name, ReadOnlySpan<char> pattern)
    {
        if (name is ['.', ..] && pattern is not (['.', ..] or ['\\', '.', ..]))
        {
            return false;
        }

        int at = 0;
        int index = 0;
        int star = -1;
        int starAt = 0;
        while (at < name.Length)
        {
            if (index < pattern.Length && pattern[index] == '*')
            {
                star = ++index;
                starAt = at;
            }
            else if (index < pattern.Length
                && FitsLetter(name[at], pattern[index..], out int length))
            {
                at++;
                index += length;
            }
            else if (star >= 0)
            {
                index = star;
                at = ++starAt;
            }
            else
            {
                return false;
            }
        }

        return pattern[index..].TrimStart('*').IsEmpty;
    }

    /// <param name="length">How much of the pattern stands for the letter.</param>
    private static bool FitsLetter(char letter, ReadOnlySpan<char> pattern, out int length)
    {
        length = 1;
        switch (pattern)
        {
            case ['?', ..]:
                return true;
            case ['[', ..] when TryReadSet(letter, pattern, out bool fits, out length):
                return fits;
            case ['\\', var escaped, ..]:
                length = 2;
                return letter == escaped;
            default:
                length = 1;
                return letter == pattern[0];
        }
    }

    /// <summary>False where the bracket has no end, and stands for itself.</summary>
    private static bool TryReadSet(
        char letter, ReadOnlySpan<char> pattern, out bool fits, out int length)
    {
        fits = false;
        length = 1;
        bool isNegated = pattern is ['[', '!' or '^', ..];
        int start = isNegated ? 2 : 1;
        for (int i = start; i < pattern.Length;)
        {
            if (pattern[i] == ']' && i > start)
            {
                fits ^= isNegated;
                length = i + 1;
                return true;
            }

            if (TryReadClass(letter, pattern[i..], out bool isMember, out int classLength))
            {
                fits |= isMember;
                i += classLength;
                continue;
            }

            char low = ReadMember(pattern, ref i);
            char high = low;
            if (i + 1 < pattern.Length && pattern[i] == '-' && pattern[i + 1] != ']')
            {
                i++;
                high = ReadMember(pattern, ref i);
            }

            fits |= letter >= low && letter <= high;
        }

        return false;
    }

    private static char ReadMember(ReadOnlySpan<char> pattern, ref int index)
    {
        index += pattern[index] == '\\' && index + 1 < pattern.Length ? 1 : 0;
        return pattern[index++];
    }

    /// <summary>"[:digit:]" and its kin.</summary>
    private static bool TryReadClass(
        char letter, ReadOnlySpan<char> pattern, out bool isMember, out int length)
    {
        isMember = false;
        length = 0;
        int end = pattern.StartsWith("[:") ? pattern.IndexOf(":]") : -1;
        if (end < 2)
        {
            return false;
        }

        length = end + 2;
        isMember = char.IsAscii(letter) && pattern[2..end] switch
        {
            "alpha" => char.IsAsciiLetter(letter),
            "digit" => char.IsAsciiDigit(letter),
            "alnum" => char.IsAsciiLetterOrDigit(letter),
            "upper" => char.IsAsciiLetterUpper(letter),
            "lower" => char.IsAsciiLetterLower(letter),
            "xdigit" => char.IsAsciiHexDigit(letter),
            "space" => letter is ' ' or (>= '\t' and <= '\r'),
            "blank" => letter is ' ' or '\t',
            "punct" => char.IsPunctuation(letter) || char.IsSymbol(letter),
            "print" => letter is >= ' ' and <= '~',
            "graph" => letter is > ' ' and <= '~',
            "cntrl" => char.IsControl(letter),
            _ => false,
        };
        return true;
    }

    /// <summary>A name that is no pattern itself, within one.</summary>
    private static string Unescape(string segment)
    {
        if (!segment.Contains('\\'))
        {
            return segment;
        }

        var name = new StringBuilder();
        for (int i = 0; i < segment.Length; i++)
        {
            i += segment[i] == '\\' && i + 1 < segment.Length ? 1 : 0;
            name.Append(segment[i]);
        }

        return name.ToString();
    }
}
