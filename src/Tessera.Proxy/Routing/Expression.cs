using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>
/// A regular expression as nginx has them: over bytes, with groups numbered from left to right
/// whether they have names or not, and names that become variables. A match puts its groups into
/// the exchange. Immutable.
/// </summary>
internal sealed class Expression
{
    private readonly Pattern _pattern;
    private readonly (int Group, OwnVariable Variable)[] _names;
    private readonly bool _hasGroups;

    /// <param name="text">Without the "~" of a directive.</param>
    /// <param name="scope">Where the names of its groups are variables.</param>
    /// <exception cref="ArgumentException">It is no regular expression.</exception>
    public Expression(string text, bool ignoresCase, VariableScope scope)
    {
        var source = ExpressionText.Translate(text);
        _pattern = Pattern.Of(source.Text, ignoresCase);
        _hasGroups = _pattern.HasGroups;
        _names =
        [
            .. from name in source.Names
               let variable = scope.Find(name.Name)
               where variable is not null
               select (name.Group, variable),
        ];
    }

    /// <summary>True when it matches; then the groups of the last match are this one's.</summary>
    public bool IsMatch(ReadOnlySpan<byte> text, Exchange exchange)
    {
        try
        {
            return _hasGroups ? Capture(text, exchange) : Test(text, exchange);
        }
        catch (RegexMatchTimeoutException)
        {
            return false;
        }
    }

    private bool Test(ReadOnlySpan<byte> text, Exchange exchange)
    {
        using var chars = new RentedChars(text);
        if (!_pattern.Machine.IsMatch(chars.Text))
        {
            return false;
        }

        exchange.ForgetCaptures();
        return true;
    }

    private bool Capture(ReadOnlySpan<byte> text, Exchange exchange)
    {
        // What does not match costs no string.
        using (var chars = new RentedChars(text))
        {
            if (!_pattern.Machine.IsMatch(chars.Text))
            {
                return false;
            }
        }

        Match match = _pattern.Machine.Match(Encoding.Latin1.GetString(text));
        exchange.NoteCaptures(text, match.Groups);
        foreach ((int group, OwnVariable variable) in _names)
        {
            exchange.SetOwn(variable, exchange.CaptureOf(group));
        }

        return true;
    }

    /// <summary>Bytes as characters of the same number. Lives on the stack.</summary>
    private ref struct RentedChars
    {
        private char[] _chars;

        public RentedChars(ReadOnlySpan<byte> text)
        {
            _chars = ArrayPool<char>.Shared.Rent(text.Length);
            Text = _chars.AsSpan(0, Encoding.Latin1.GetChars(text, _chars));
        }

        public ReadOnlySpan<char> Text { get; }

        public void Dispose()
        {
            ArrayPool<char>.Shared.Return(_chars);
            _chars = [];
        }
    }
}
