using System.Text;
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
    private readonly Expression? _expression;
    private readonly Template? _replacement;

    private TextRewrite(Template? prefix, Expression? expression, Template? replacement)
    {
        _prefix = prefix;
        _expression = expression;
        _replacement = replacement;
    }

    /// <exception cref="FormatException">A text names no variable.</exception>
    /// <exception cref="ArgumentException">The expression is none.</exception>
    public static TextRewrite Of(TextReplacement config)
    {
        Template? replacement =
            config.Replacement is null ? null : Template.Parse(config.Replacement);
        string text = config.Pattern;
        if (!text.StartsWith('~'))
        {
            return new TextRewrite(Template.Parse(text), null, replacement);
        }

        bool ignoresCase = text.StartsWith("~*", StringComparison.Ordinal);
        return new TextRewrite(
            null,
            new Expression(text[(ignoresCase ? 2 : 1)..], ignoresCase, VariableScope.Current),
            replacement);
    }

    /// <summary>
    /// Writes what <paramref name="value"/> becomes. False when it does not fit, and nothing is
    /// written.
    /// </summary>
    public bool TryWrite(
        ref ByteWriter writer, Exchange exchange, scoped ReadOnlySpan<byte> value)
    {
        if (_expression is not null)
        {
            return TryWriteMatched(ref writer, exchange, value);
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
        if (_expression is not null)
        {
            return TryWriteMatched(ref writer, exchange, value);
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

    /// <summary>
    /// A match that fails leaves the value, as in nginx (ngx_http_proxy_rewrite_regex_handler).
    /// </summary>
    private bool TryWriteMatched(
        ref ByteWriter writer, Exchange exchange, scoped ReadOnlySpan<byte> value)
    {
        if (_expression!.Match(value, exchange) != MatchOutcome.Match)
        {
            return false;
        }

        WriteReplacement(ref writer, exchange, value);
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
