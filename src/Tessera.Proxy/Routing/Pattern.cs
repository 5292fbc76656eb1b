using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.RegularExpressions;

namespace Tessera.Proxy.Routing;

/// <summary>
/// A regular expression over text that clients send. It takes time linear in the text's length,
/// whatever the text is, unless it looks around or back: then it is given up after half a second.
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

    /// <summary>
    /// For expressions that may backtrack. The clock goes on while other programs have the
    /// processor, so one attempt says little; honest matches take microseconds and would have to
    /// lose it for so long in each.
    /// </summary>
    private static readonly TimeSpan AttemptTimeout = TimeSpan.FromMilliseconds(250);

    /// <summary>Times <see cref="AttemptTimeout"/> a text may hold a reactor.</summary>
    private const int MaxAttempts = 2;

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

    /// <exception cref="ArgumentException">It is no regular expression.</exception>
    public static Pattern Of(string text, bool ignoresCase = false) =>
        // PCRE's named groups are .NET's with a P.
        Share(text.Replace("(?P<", "(?<", StringComparison.Ordinal), ignoresCase);

    /// <summary>To be held against what <see cref="ByteText"/> makes of bytes.</summary>
    /// <exception cref="ArgumentException">It is no regular expression.</exception>
    public static Pattern Of(ExpressionText text, bool ignoresCase) =>
        Share(text.Text, ignoresCase);

    /// <param name="text">UTF-8.</param>
    public bool IsMatch(ReadOnlySpan<byte> text)
    {
        char[]? rented = null;
        Span<char> chars = text.Length <= MaxStackChars
            ? stackalloc char[text.Length]
            : rented = ArrayPool<char>.Shared.Rent(text.Length);
        int length = Encoding.UTF8.GetChars(text, chars);
        bool isMatch = Test(chars[..length]) == MatchOutcome.Match;
        if (rented is not null)
        {
            ArrayPool<char>.Shared.Return(rented);
        }

        return isMatch;
    }

    /// <summary>
    /// With its groups, which costs a string and a match. Null when it does not match.
    /// </summary>
    /// <param name="text">UTF-8.</param>
    public Match? Match(ReadOnlySpan<byte> text)
    {
        Match(Encoding.UTF8.GetString(text), out Match? match);
        return match;
    }

    public MatchOutcome Test(ReadOnlySpan<char> text)
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            try
            {
                return Machine.IsMatch(text) ? MatchOutcome.Match : MatchOutcome.None;
            }
            catch (RegexMatchTimeoutException)
            {
                // Once more: see AttemptTimeout.
            }
            catch (Exception fault) when (fault is IndexOutOfRangeException or OverflowException)
            {
                // .NET's interpreter loses its stack over some expressions that repeat nothing.
                break;
            }
        }

        return MatchOutcome.Failed;
    }

    /// <param name="match">Null unless it matches.</param>
    public MatchOutcome Match(string text, out Match? match)
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            try
            {
                match = Machine.Match(text);
                match = match.Success ? match : null;
                return match is null ? MatchOutcome.None : MatchOutcome.Match;
            }
            catch (RegexMatchTimeoutException)
            {
                // Once more: see AttemptTimeout.
            }
            catch (Exception fault) when (fault is IndexOutOfRangeException or OverflowException)
            {
                // .NET's interpreter loses its stack over some expressions that repeat nothing.
                break;
            }
        }

        match = null;
        return MatchOutcome.Failed;
    }

    /// <summary>The same expression is compiled once.</summary>
    private static Pattern Share(string text, bool ignoresCase)
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

    private static Regex Create(string text, bool ignoresCase)
    {
        try
        {
            return new Regex(text, OptionsOf(ignoresCase) | RegexOptions.NonBacktracking);
        }
        catch (NotSupportedException)
        {
            return Parse(text, ignoresCase);
        }
    }

    private static Regex Parse(string text, bool ignoresCase) =>
        new(text, OptionsOf(ignoresCase), AttemptTimeout);

    private static RegexOptions OptionsOf(bool ignoresCase) => RegexOptions.CultureInvariant
        | (ignoresCase ? RegexOptions.IgnoreCase : RegexOptions.None);
}
