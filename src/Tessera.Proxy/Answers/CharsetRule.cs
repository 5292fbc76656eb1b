using System.Collections.Immutable;
using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Answers;

/// <summary>
/// Which charset an answer is said to be in, and whether its bytes are written in another one for
/// that (ngx_http_charset_header_filter). Immutable.
/// </summary>
internal sealed class CharsetRule
{
    /// <summary>Of a charset's name; a longer one is none.</summary>
    public const int MaxNameBytes = 64;

    private readonly Template? _charset;
    private readonly Template? _source;
    private readonly bool _overrides;
    private readonly bool _coversAllTypes;
    private readonly ImmutableArray<byte[]> _types;
    private readonly ImmutableArray<(byte[] From, byte[] To, CharsetMapConfig Map)> _maps;

    /// <exception cref="FormatException">A text has a variable that there is not.</exception>
    public CharsetRule(AnswerConfig config)
    {
        _charset = config.Charset is null ? null : Template.Parse(config.Charset);
        _source = config.SourceCharset is null ? null : Template.Parse(config.SourceCharset);
        _overrides = config.OverridesCharset;
        _coversAllTypes = config.CharsetTypes.Contains("*");
        _types = [.. config.CharsetTypes.Select(Encoding.ASCII.GetBytes)];
        _maps =
        [
            .. config.CharsetMaps.Select(map => (
                Encoding.ASCII.GetBytes(map.From), Encoding.ASCII.GetBytes(map.To), map)),
        ];
    }

    /// <summary>Bodies may have to be written in another charset.</summary>
    public bool Recodes => !_maps.IsEmpty && (_source is not null || _overrides);

    /// <summary>
    /// Decides about an answer of that type. False leaves its type as it is.
    /// </summary>
    /// <param name="isCoded">Its bytes are compressed: they cannot be changed.</param>
    /// <param name="name">Gets the charset's name.</param>
    /// <param name="bareLength">Of the type without the charset that it names.</param>
    /// <param name="table">What its body is written with; null leaves it.</param>
    public bool TryChoose(
        Exchange exchange, scoped ReadOnlySpan<byte> type, bool isCoded, ref ByteWriter name,
        out int bareLength, out CharsetTable? table)
    {
        table = null;
        ReadOnlySpan<byte> given = CharsetOf(type, out bareLength);
        if (type.IsEmpty)
        {
            return false;
        }

        // (1) The charset that it is to be in.
        ReadOnlySpan<byte> asked = exchange.AskedCharset;
        if (!asked.IsEmpty)
        {
            name.Write(asked);
        }
        else if (_charset is null || (given.IsEmpty ? !Covers(type[..bareLength]) : !_overrides))
        {
            return false;
        }
        else
        {
            _charset.Write(ref name, exchange);
        }

        if (name.Length == 0 || name.HasOverflowed)
        {
            return false;
        }

        // (2) The one that it is in; nothing may be known of that.
        var source = new ByteWriter(stackalloc byte[MaxNameBytes]);
        source.Write(given);
        if (given.IsEmpty)
        {
            if (_source is null)
            {
                return true;
            }

            _source.Write(ref source, exchange);
        }

        if (Ascii.EqualsIgnoreCase(source.Written, name.Written))
        {
            return true;
        }

        // (3) The way from there to here.
        if (isCoded)
        {
            return false;
        }

        table = FindTable(source.Written, name.Written);
        if (table is null)
        {
            TellNoMap(exchange, source.Written, name.Written);
        }

        return table is not null;
    }

    /// <summary>
    /// The charset that a type names; empty for none (ngx_http_upstream_copy_content_type).
    /// </summary>
    /// <param name="bareLength">Where what is before it ends.</param>
    public static ReadOnlySpan<byte> CharsetOf(
        ReadOnlySpan<byte> type, out int bareLength)
    {
        bareLength = type.Length;
        for (int at = type.IndexOf((byte)';'); at >= 0;)
        {
            ReadOnlySpan<byte> parameter = type[(at + 1)..].TrimStart((byte)' ');
            ReadOnlySpan<byte> word = "charset="u8;
            if (parameter.Length > word.Length
                && Ascii.EqualsIgnoreCase(parameter[..word.Length], word))
            {
                bareLength = at;
                ReadOnlySpan<byte> name = parameter[word.Length..];
                name = name[0] == '"' ? name[1..] : name;
                return name is [.., (byte)'"'] ? name[..^1] : name;
            }

            int next = type[(at + 1)..].IndexOf((byte)';');
            at = next < 0 ? -1 : at + 1 + next;
        }

        return default;
    }

    private bool Covers(ReadOnlySpan<byte> type)
    {
        if (_coversAllTypes)
        {
            return true;
        }

        foreach (byte[] covered in _types)
        {
            if (covered.Length == type.Length && Ascii.EqualsIgnoreCase(covered, type))
            {
                return true;
            }
        }

        return false;
    }

    private CharsetTable? FindTable(ReadOnlySpan<byte> from, ReadOnlySpan<byte> to)
    {
        foreach ((byte[] one, byte[] other, CharsetMapConfig map) in _maps)
        {
            if (Ascii.EqualsIgnoreCase(one, from) && Ascii.EqualsIgnoreCase(other, to))
            {
                return map.There;
            }

            if (Ascii.EqualsIgnoreCase(other, from) && Ascii.EqualsIgnoreCase(one, to))
            {
                return map.Back;
            }
        }

        return null;
    }

    private static void TellNoMap(
        Exchange exchange, ReadOnlySpan<byte> from, ReadOnlySpan<byte> to)
    {
        Telemetry.ErrorLog log = exchange.Client.Shard.ErrorLog;
        if (log.Takes(exchange, ErrorLevel.Error))
        {
            log.Tell(exchange, ErrorLevel.Error, "no \"charset_map\" between the charsets "
                + $"\"{Encoding.Latin1.GetString(from)}\" and \"{Encoding.Latin1.GetString(to)}\"");
        }
    }
}
