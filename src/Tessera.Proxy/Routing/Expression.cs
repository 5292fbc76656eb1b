using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Telemetry;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>
/// A regular expression as nginx has them: over bytes, with groups numbered from left to right
/// whether they have names or not, and names that become variables. A match puts its groups into
/// the exchange. Immutable.
/// </summary>
internal sealed class Expression
{
    /// <summary>PCRE2_ERROR_MATCHLIMIT: it was given up.</summary>
    private const int MatchLimitError = -47;

    /// <summary>PCRE2_ERROR_UTF8_ERR20: the text is no UTF-8.</summary>
    private const int UtfError = -22;

    private readonly string _source;
    private readonly Pattern _pattern;
    private readonly (int Group, OwnVariable Variable)[] _names;
    private readonly bool _hasGroups;
    private readonly bool _isUtf;

    /// <param name="text">Without the "~" of a directive.</param>
    /// <param name="scope">Where the names of its groups are variables.</param>
    /// <exception cref="ArgumentException">It is no regular expression.</exception>
    public Expression(string text, bool ignoresCase, VariableScope scope)
    {
        var translated = ExpressionText.Translate(text, ignoresCase);
        _source = text;
        _pattern = Pattern.Of(translated, ignoresCase);
        _hasGroups = _pattern.HasGroups;
        _isUtf = translated.IsUtf;
        _names =
        [
            .. from name in translated.Names
               let variable = scope.Find(name.Name)
               where variable is not null
               select (name.Group, variable),
        ];
    }

    /// <summary>
    /// When it matches, the groups of the last match are this one's. A failure is logged; what it
    /// means is for the directive to say.
    /// </summary>
    public MatchOutcome Match(ReadOnlySpan<byte> text, Exchange exchange)
    {
        MatchOutcome outcome;
        using (var letters = new RentedLetters(text, _isUtf))
        {
            if (!letters.IsValid)
            {
                return Fail(UtfError, text, exchange);
            }

            // What does not match costs no string.
            outcome = _pattern.Test(letters.Text);
        }

        if (outcome == MatchOutcome.Match)
        {
            outcome = _hasGroups ? Capture(text, exchange) : Forget(exchange);
        }

        return outcome == MatchOutcome.Failed ? Fail(MatchLimitError, text, exchange) : outcome;
    }

    private static MatchOutcome Forget(Exchange exchange)
    {
        exchange.ForgetCaptures();
        return MatchOutcome.Match;
    }

    private MatchOutcome Capture(ReadOnlySpan<byte> text, Exchange exchange)
    {
        string letters = _isUtf ? Encoding.UTF8.GetString(text) : ByteText.Of(text);
        MatchOutcome outcome = _pattern.Match(letters, out Match? match);
        if (outcome != MatchOutcome.Match)
        {
            return outcome;
        }

        exchange.NoteCaptures(text, match!.Groups, _isUtf ? letters : null);
        foreach ((int group, OwnVariable variable) in _names)
        {
            exchange.SetOwn(variable, exchange.CaptureOf(group));
        }

        return MatchOutcome.Match;
    }

    /// <summary>In nginx's words, which an operator will look for (ngx_http_regex_exec).</summary>
    private MatchOutcome Fail(int error, ReadOnlySpan<byte> text, Exchange exchange)
    {
        ErrorLog log = exchange.Client.Shard.ErrorLog;
        string message = $"pcre2_match() failed: {error} on \"{LogEscape.ToText(text)}\" "
            + $"using \"{_source}\"";
        if (log.IsNginx)
        {
            log.Tell(exchange, ErrorLevel.Alert, message);
        }
        else
        {
            log.Write(ErrorLevel.Error, message);
        }

        return MatchOutcome.Failed;
    }

    /// <summary>
    /// Letters in the place of bytes, or the characters of UTF-8. Lives on the stack.
    /// </summary>
    private ref struct RentedLetters
    {
        private char[] _letters;

        public RentedLetters(ReadOnlySpan<byte> text, bool isUtf)
        {
            _letters = ArrayPool<char>.Shared.Rent(text.Length);
            IsValid = !isUtf || System.Text.Unicode.Utf8.IsValid(text);
            if (isUtf)
            {
                Text = _letters.AsSpan(0, Encoding.UTF8.GetChars(text, _letters));
                return;
            }

            ByteText.Write(text, _letters);
            Text = _letters.AsSpan(0, text.Length);
        }

        public bool IsValid { get; }

        public ReadOnlySpan<char> Text { get; }

        public void Dispose()
        {
            ArrayPool<char>.Shared.Return(_letters);
            _letters = [];
        }
    }
}
