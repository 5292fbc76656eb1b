using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Which charset answers are in, and how they come into it: ngx_http_charset_filter_module.
/// Stateless.
/// </summary>
internal static class CharsetModule
{
    /// <summary>Of a character in UTF-8.</summary>
    private const int MaxCharacterBytes = 4;

    public static DirectiveRule[] Directives { get; } =
    [
        new("charset", NginxContext.HttpServerLocationIf),
        new("source_charset", NginxContext.HttpServerLocationIf),
        new("override_charset", NginxContext.HttpServerLocationIf) { Kind = ValueKind.Flag },
        new("charset_types", NginxContext.HttpServerLocation, 1, -1)
        {
            Kind = ValueKind.Types, MayRepeat = true,
        },
        new("charset_map", NginxContext.Http, 2, 2) { HasLines = true, MayRepeat = true },
    ];

    /// <summary>The maps of an http block.</summary>
    /// <exception cref="NginxConfigException">One is none, or there are two of a kind.</exception>
    public static ImmutableArray<CharsetMapConfig> ReadMaps(NginxScope http)
    {
        var maps = ImmutableArray.CreateBuilder<CharsetMapConfig>();
        foreach (NginxDirective directive in http.AllHere("charset_map"))
        {
            (string from, string to) = (directive.Value, directive.Arguments[1]);
            if (IsSame(from, to))
            {
                throw directive.Error($"\"charset_map\" between the same charsets \"{from}\" and "
                    + $"\"{to}\"");
            }

            if (maps.Any(map => IsOf(map, from, to)))
            {
                throw directive.Error(
                    $"duplicate \"charset_map\" between \"{from}\" and \"{to}\"");
            }

            maps.Add(new CharsetMapConfig(
                from, to, [.. directive.Block!.Value.Select(line => ReadPair(line, to))]));
        }

        return maps.ToImmutable();
    }

    public static RouteConfig Apply(NginxScope scope, RouteConfig route, HttpReading reading)
    {
        string? charset = ReadName(scope, "charset");
        string? source = ReadName(scope, "source_charset");
        bool isKnown = charset is not null && source is not null
            && !charset.Contains('$', StringComparison.Ordinal)
            && !source.Contains('$', StringComparison.Ordinal);
        if (isKnown && !IsSame(charset!, source!)
            && !reading.CharsetMaps.Any(map => IsOf(map, source!, charset!)))
        {
            // nginx looks for it at the end, and names no line.
            throw new NginxConfigException(
                $"no \"charset_map\" between the charsets \"{source}\" and \"{charset}\"");
        }

        string[] types = [.. scope.All("charset_types").SelectMany(d => d.Arguments)];
        return route with
        {
            Answers = route.Answers! with
            {
                Charset = charset,
                SourceCharset = source,
                OverridesCharset = scope.Flag("override_charset", false),
                CharsetMaps = reading.CharsetMaps,
                CharsetTypes = types.Length == 0
                    ? new AnswerConfig().CharsetTypes
                    : ["text/html", .. types],
            },
        };
    }

    /// <summary>Null where it is off.</summary>
    private static string? ReadName(NginxScope scope, string directive) =>
        scope.Text(directive, "off") is var name && name == "off" ? null : name;

    private static bool IsSame(string one, string other) =>
        one.Equals(other, StringComparison.OrdinalIgnoreCase);

    private static bool IsOf(CharsetMapConfig map, string one, string other) =>
        (IsSame(map.From, one) && IsSame(map.To, other))
        || (IsSame(map.From, other) && IsSame(map.To, one));

    private static CharsetPair ReadPair(NginxDirective line, string to)
    {
        if (line.Arguments.Length != 1)
        {
            throw line.Error("invalid parameters number");
        }

        if (!TryHex(line.Name, out int from))
        {
            throw line.Error($"invalid value \"{line.Name}\"");
        }

        if (!IsSame(to, "utf-8"))
        {
            return TryHex(line.Value, out int other)
                ? new CharsetPair((byte)from, [(byte)other])
                : throw line.Error($"invalid value \"{line.Value}\"");
        }

        byte[] text = new byte[line.Value.Length / 2];
        bool isText = line.Value.Length is > 0 and <= MaxCharacterBytes * 2
            && line.Value.Length % 2 == 0;
        for (int i = 0; isText && i < text.Length; i++)
        {
            isText = TryHex(line.Value.Substring(i * 2, 2), out int value);
            text[i] = (byte)value;
        }

        return isText && Rune.DecodeFromUtf8(text, out _, out int length)
                == System.Buffers.OperationStatus.Done && length == text.Length
            ? new CharsetPair((byte)from, [.. text])
            : throw line.Error($"invalid value \"{line.Value}\"");
    }

    private static bool TryHex(string text, out int value) =>
        int.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value)
        && value is >= 0 and <= 0xff;
}
