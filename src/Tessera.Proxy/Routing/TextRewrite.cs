using System.Text;
using System.Text.RegularExpressions;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>
/// One text in the place of another, at the beginning of a value or where an expression matches.
/// Immutable.
/// </summary>
internal sealed class TextRewrite
{
    private readonly Template? _prefix;
    private readonly Pattern? _pattern;
    private readonly Template? _replacement;

    private TextRewrite(Template? prefix, Pattern? pattern, Template? replacement)
    {
        _prefix = prefix;
        _pattern = pattern;
        _replacement = replacement;
    }

    /// <exception cref="FormatException">A text names no variable.</exception>
    /// <exception cref="ArgumentException">The expression is none.</exception>
    public static TextRewrite Of(TextReplacement config)
    {
        Template? replacement =
            config.Replacement is null ? null : Template.Parse(config.Replacement);
        string text = config.Pattern;
        return text.StartsWith("~*", StringComparison.Ordinal)
            ? new TextRewrite(null, Pattern.Of(text[2..], ignoresCase: true), replacement)
            : text.StartsWith('~')
                ? new TextRewrite(null, Pattern.Of(text[1..]), replacement)
                : new TextRewrite(Template.Parse(text), null, replacement);
    }

    /// <summary>
    /// Writes what <paramref name="value"/> becomes. False when it does not fit, and nothing is
    /// written.
    /// </summary>
    public bool TryWrite(
        ref ByteWriter writer, Exchange exchange, scoped ReadOnlySpan<byte> value)
    {
        if (_pattern is not null)
        {
            return _pattern.Match(value) is { } match
                && WriteMatched(ref writer, exchange, match, value);
        }

        Span<byte> buffer = stackalloc byte[512];
        var prefix = new ByteWriter(buffer);
        _prefix!.Write(ref prefix, exchange);
        if (prefix.HasOverflowed || !value.StartsWith(prefix.Written))
        {
            return false;
        }

        WriteReplacement(ref writer, exchange, value[..prefix.Length]);
        writer.Write(value[prefix.Length..]);
        return true;
    }

    /// <summary>
    /// The same for a name of a domain, whose letter case and leading dot mean nothing; all of it
    /// has to fit.
    /// </summary>
    public bool TryWriteDomain(
        ref ByteWriter writer, Exchange exchange, scoped ReadOnlySpan<byte> value)
    {
        if (_pattern is not null)
        {
            return _pattern.Match(value) is { } match
                && WriteMatched(ref writer, exchange, match, value);
        }

        Span<byte> buffer = stackalloc byte[512];
        var domain = new ByteWriter(buffer);
        _prefix!.Write(ref domain, exchange);
        ReadOnlySpan<byte> wanted = domain.Written;
        wanted = wanted.StartsWith("."u8) ? wanted[1..] : wanted;
        ReadOnlySpan<byte> given = value.StartsWith("."u8) ? value[1..] : value;
        if (domain.HasOverflowed || !Ascii.EqualsIgnoreCase(wanted, given))
        {
            return false;
        }

        WriteReplacement(ref writer, exchange, value);
        return true;
    }

    private bool WriteMatched(
        ref ByteWriter writer, Exchange exchange, Match match, scoped ReadOnlySpan<byte> value)
    {
        GroupCollection? before = exchange.Groups;
        exchange.Groups = match.Groups;
        WriteReplacement(ref writer, exchange, value);
        exchange.Groups = before;
        return true;
    }

    private void WriteReplacement(
        ref ByteWriter writer, Exchange exchange, scoped ReadOnlySpan<byte> otherwise)
    {
        if (_replacement is null)
        {
            writer.Write(otherwise);
        }
        else
        {
            _replacement.Write(ref writer, exchange);
        }
    }
}
