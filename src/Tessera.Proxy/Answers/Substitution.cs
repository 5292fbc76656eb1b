using System.Text;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Answers;

/// <summary>A route's <see cref="SubstitutionConfig"/>, made ready once. Immutable.</summary>
internal sealed class SubstitutionRule
{
    private readonly (Template Text, Template Replacement)[] _pairs;
    private readonly TypeSet _types;

    /// <exception cref="FormatException">A text has a variable that there is not.</exception>
    public SubstitutionRule(SubstitutionConfig config)
    {
        IsOnce = config.IsOnce;
        KeepsLastModified = config.KeepsLastModified;
        _types = new TypeSet(config.Types);
        _pairs =
        [
            .. config.Pairs.Select(pair =>
                (Template.Parse(pair.Text), Template.Parse(pair.Replacement))),
        ];
    }

    public bool IsOnce { get; }

    public bool KeepsLastModified { get; }

    public bool Covers(ReadOnlySpan<byte> type) => _types.Contains(type);

    /// <summary>What to look for in one answer; null when nothing is left to look for.</summary>
    public Substitution? Begin(Exchange exchange)
    {
        (byte[] Text, byte[] Replacement)[] pairs =
        [
            .. from pair in _pairs
               let text = Evaluate(pair.Text, exchange)
               where text.Length > 0
               select (text, Evaluate(pair.Replacement, exchange)),
        ];
        return pairs.Length == 0 ? null : new Substitution(pairs, IsOnce);
    }

    private static byte[] Evaluate(Template template, Exchange exchange)
    {
        using var text = EvaluatedText.Of(template, exchange);
        return text.Text.ToArray();
    }
}

/// <summary>
/// Replaces texts in one body that comes in pieces (ngx_http_sub_filter_module): what could be the
/// beginning of a text is kept until its end is there. Owned by one reactor.
/// </summary>
internal sealed class Substitution : BodyStep
{
    private readonly (byte[] Text, byte[] Replacement)[] _pairs;
    private readonly bool[] _isDone;
    private readonly bool _isOnce;
    private byte[] _kept = [];

    /// <param name="pairs">Texts that are not empty.</param>
    public Substitution((byte[] Text, byte[] Replacement)[] pairs, bool isOnce)
    {
        // Of texts that begin at one place the longest counts.
        _pairs = [.. pairs.OrderByDescending(pair => pair.Text.Length)];
        _isDone = new bool[pairs.Length];
        _isOnce = isOnce;
    }

    public override bool TryWrite(ReadOnlySpan<byte> data, bool isLast, Stream output)
    {
        byte[] all = _kept.Length == 0 ? [] : [.. _kept, .. data];
        ReadOnlySpan<byte> rest = _kept.Length == 0 ? data : all;
        _kept = [];
        int clean = 0;
        for (int at = 0; at < rest.Length;)
        {
            Outcome outcome = Match(rest[at..], isLast, out int index);
            if (outcome == Outcome.Unclear)
            {
                _kept = rest[at..].ToArray();
                rest = rest[..at];
                break;
            }

            if (outcome == Outcome.No)
            {
                at++;
                continue;
            }

            output.Write(rest[clean..at]);
            output.Write(_pairs[index].Replacement);
            at += _pairs[index].Text.Length;
            clean = at;
            _isDone[index] = _isOnce;
        }

        output.Write(rest[Math.Min(clean, rest.Length)..]);
        return true;
    }

    public override void Dispose()
    {
        // It holds nothing that has to be given back.
    }

    private enum Outcome : byte
    {
        No,
        Yes,

        /// <summary>What follows decides.</summary>
        Unclear,
    }

    private Outcome Match(ReadOnlySpan<byte> rest, bool isLast, out int index)
    {
        bool isUnclear = false;
        for (index = 0; index < _pairs.Length; index++)
        {
            byte[] text = _pairs[index].Text;
            int length = Math.Min(text.Length, rest.Length);
            if (_isDone[index]
                || !Ascii.EqualsIgnoreCase(text.AsSpan(0, length), rest[..length]))
            {
                continue;
            }

            if (length == text.Length)
            {
                // A longer one that may still come about goes first.
                return isUnclear ? Outcome.Unclear : Outcome.Yes;
            }

            isUnclear = !isLast;
        }

        return isUnclear ? Outcome.Unclear : Outcome.No;
    }
}
