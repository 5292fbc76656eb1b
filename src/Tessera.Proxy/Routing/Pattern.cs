using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.RegularExpressions;

namespace Tessera.Proxy.Routing;

/// <summary>
/// A regular expression over text that clients send. It takes time linear in the text's length,
/// whatever the text is, unless it looks around or back: then it is given up after a moment.
/// Immutable; each thread that uses it has a machine of its own, so that matching allocates
/// nothing.
/// </summary>
[SuppressMessage(
    "Reliability", "CA1001",
    Justification = "It lives until no route uses it, and nobody knows when that is.")]
internal sealed class Pattern
{
    /// <summary>Patterns kept from one configuration to the next.</summary>
    private const int MaxKept = 1_024;

    /// <summary>Longer texts are decoded into a rented buffer.</summary>
    private const int MaxStackChars = 512;

    /// <summary>For expressions that may backtrack.</summary>
    private static readonly TimeSpan MatchTimeout = TimeSpan.FromMilliseconds(50);

    private static readonly ConcurrentDictionary<(string, bool), Pattern> Kept = [];

    private readonly ThreadLocal<Regex> _regex;

    private Pattern(string text, bool ignoresCase)
    {
        // It is only parsed here: to build the machine takes a hundred times as long, and of the
        // many expressions of a large configuration most are never met by a request.
        HasGroups = Parse(text, ignoresCase).GetGroupNumbers().Length > 1;
        _regex = new ThreadLocal<Regex>(() => Create(text, ignoresCase));
    }

    /// <summary>A match has more than what matched as a whole.</summary>
    public bool HasGroups { get; }

    /// <summary>This thread's own.</summary>
    public Regex Machine => _regex.Value!;

    /// <summary>The same expression is compiled once.</summary>
    /// <exception cref="ArgumentException">It is no regular expression.</exception>
    public static Pattern Of(string text, bool ignoresCase = false)
    {
        if (Kept.TryGetValue((text, ignoresCase), out Pattern? known))
        {
            return known;
        }

        if (Kept.Count >= MaxKept)
        {
            Kept.Clear();
        }

        return Kept.GetOrAdd((text, ignoresCase), new Pattern(text, ignoresCase));
    }

    /// <param name="text">UTF-8.</param>
    public bool IsMatch(ReadOnlySpan<byte> text)
    {
        char[]? rented = null;
        Span<char> chars = text.Length <= MaxStackChars
            ? stackalloc char[text.Length]
            : rented = ArrayPool<char>.Shared.Rent(text.Length);
        try
        {
            int length = Encoding.UTF8.GetChars(text, chars);
            return _regex.Value!.IsMatch(chars[..length]);
        }
        catch (RegexMatchTimeoutException)
        {
            return false;
        }
        finally
        {
            if (rented is not null)
            {
                ArrayPool<char>.Shared.Return(rented);
            }
        }
    }

    /// <summary>
    /// With its groups, which costs a string and a match. Null when it does not match.
    /// </summary>
    /// <param name="text">UTF-8.</param>
    public Match? Match(ReadOnlySpan<byte> text)
    {
        try
        {
            Match match = _regex.Value!.Match(Encoding.UTF8.GetString(text));
            return match.Success ? match : null;
        }
        catch (RegexMatchTimeoutException)
        {
            return null;
        }
    }

    private static Regex Create(string text, bool ignoresCase)
    {
        try
        {
            return new Regex(
                Spell(text), OptionsOf(ignoresCase) | RegexOptions.NonBacktracking);
        }
        catch (NotSupportedException)
        {
            return Parse(text, ignoresCase);
        }
    }

    private static Regex Parse(string text, bool ignoresCase) =>
        new(Spell(text), OptionsOf(ignoresCase), MatchTimeout);

    /// <summary>PCRE's named groups are .NET's with a P.</summary>
    private static string Spell(string text) =>
        text.Replace("(?P<", "(?<", StringComparison.Ordinal);

    private static RegexOptions OptionsOf(bool ignoresCase) => RegexOptions.CultureInvariant
        | (ignoresCase ? RegexOptions.IgnoreCase : RegexOptions.None);
}
