using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Routing;

/// <summary>What a path becomes on its way to an endpoint. Immutable.</summary>
internal sealed class PathRewrite
{
    private readonly byte[] _strip;
    private readonly byte[] _add;
    private readonly Pattern? _pattern;
    private readonly Part[] _replacement;

    /// <exception cref="FormatException">The replacement is none.</exception>
    /// <exception cref="ArgumentException">The pattern is no regular expression.</exception>
    public PathRewrite(RewriteConfig config)
    {
        _strip = Encoding.UTF8.GetBytes(config.StripPrefix?.TrimEnd('/') ?? "");
        _add = Encoding.UTF8.GetBytes(config.AddPrefix?.TrimEnd('/') ?? "");
        _pattern = config.Pattern is { } pattern ? Pattern.Of(pattern) : null;
        _replacement = ParseReplacement(config.Replacement);
    }

    /// <summary>
    /// Writes path and query as they are sent. The path is encoded anew, so that whatever was
    /// decoded in it means the same to the endpoint; the query stays as the client sent it, behind
    /// what the replacement has of its own. A replacement that ends with "?" drops it (nginx's
    /// rewrite).
    /// </summary>
    /// <param name="path">Decoded and normal.</param>
    public void Write(
        ref ByteWriter writer, scoped ReadOnlySpan<byte> path, scoped ReadOnlySpan<byte> query)
    {
        // (1) Without the prefix, when it is there in whole segments.
        if (_strip.Length > 0 && path.StartsWith(_strip)
            && (path.Length == _strip.Length || path[_strip.Length] == '/'))
        {
            path = path[_strip.Length..];
        }

        // (2) The part that the expression matches, replaced.
        int start = writer.Length;
        UriText.WritePath(ref writer, _add);
        int rest = writer.Length;
        if (_pattern?.Match(path) is { } match)
        {
            WriteReplaced(ref writer, match);
        }
        else
        {
            UriText.WritePath(ref writer, path);
        }

        // (3) A path is never empty (RFC 9112 section 3.2.1).
        if (writer.Length == rest || writer.Written[rest] != '/')
        {
            writer.Insert(rest, (byte)'/');
        }

        // (4) The query.
        int mark = writer.Written[start..].IndexOf((byte)'?');
        if (mark >= 0 && start + mark == writer.Length - 1)
        {
            writer.Truncate(writer.Length - 1);
        }
        else if (!query.IsEmpty)
        {
            writer.Write(mark < 0 ? (byte)'?' : (byte)'&');
            writer.Write(query);
        }
    }

    private void WriteReplaced(ref ByteWriter writer, Match match)
    {
        // What stands before the match and behind it stays.
        WriteEncoded(ref writer, match.Result("$`"));
        foreach (Part part in _replacement)
        {
            if (part.Literal is { } literal)
            {
                writer.Write(literal);
            }
            else
            {
                WriteEncoded(ref writer, match.Groups[part.Group].ValueSpan);
            }
        }

        WriteEncoded(ref writer, match.Result("$'"));
    }

    private static void WriteEncoded(ref ByteWriter writer, scoped ReadOnlySpan<char> text)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        UriText.WritePath(ref writer, bytes.AsSpan(0, Encoding.UTF8.GetBytes(text, bytes)));
        ArrayPool<byte>.Shared.Return(bytes);
    }

    /// <summary><c>$1</c>, <c>${1}</c> and <c>$$</c>; everything else stands for itself.</summary>
    private static Part[] ParseReplacement(string text)
    {
        var parts = new List<Part>();
        var literal = new StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '$')
            {
                literal.Append(text[i]);
                continue;
            }

            bool isBraced = text.AsSpan(i + 1).StartsWith("{");
            int digit = isBraced ? i + 2 : i + 1;
            char next = digit < text.Length ? text[digit] : '\0';
            if (next == '$' && !isBraced)
            {
                literal.Append('$');
                i++;
            }
            else if (char.IsAsciiDigit(next)
                && (!isBraced || text.AsSpan(digit + 1).StartsWith("}")))
            {
                parts.Add(new Part(Encoding.UTF8.GetBytes(literal.ToString()), 0));
                parts.Add(new Part(null, next - '0'));
                literal.Clear();
                i = isBraced ? digit + 1 : digit;
            }
            else
            {
                throw new FormatException(
                    $"\"{text}\": a digit must follow \"$\" in a replacement, or another \"$\"");
            }
        }

        parts.Add(new Part(Encoding.UTF8.GetBytes(literal.ToString()), 0));
        return [.. parts];
    }

    private readonly record struct Part(byte[]? Literal, int Group);
}
