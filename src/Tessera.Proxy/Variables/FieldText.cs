using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;

namespace Tessera.Proxy.Variables;

/// <summary>
/// Finds what the families of variables name: fields, cookies, parameters. Nothing is copied.
/// Stateless.
/// </summary>
internal static class FieldText
{
    /// <summary>
    /// The value of the first parameter of that name, in any case of letters, as it was sent.
    /// </summary>
    public static ReadOnlySpan<byte> FindArgument(
        ReadOnlySpan<byte> query, ReadOnlySpan<byte> name)
    {
        TryFindArgument(query, name, out ReadOnlySpan<byte> value);
        return value;
    }

    /// <summary>False when there is none; one may be there and have no value.</summary>
    public static bool TryFindArgument(
        ReadOnlySpan<byte> query, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        while (!query.IsEmpty)
        {
            int end = query.IndexOf((byte)'&');
            ReadOnlySpan<byte> pair = end < 0 ? query : query[..end];
            if (pair.Length > name.Length && pair[name.Length] == '='
                && Ascii.EqualsIgnoreCase(pair[..name.Length], name))
            {
                value = pair[(name.Length + 1)..];
                return true;
            }

            query = end < 0 ? default : query[(end + 1)..];
        }

        value = default;
        return false;
    }

    /// <summary>The request has a field of that name, perhaps without a value.</summary>
    public static bool Has(
        RequestHead head, ReadOnlySpan<byte> received, ReadOnlySpan<byte> name)
    {
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (IsNamed(field, received, name))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// The value of the first field of that name, whose "-" are "_" here. A field that is sent with
    /// "_" is not passed on to the server, and answers for nothing here either.
    /// </summary>
    public static ReadOnlySpan<byte> Find(
        RequestHead head, ReadOnlySpan<byte> received, ReadOnlySpan<byte> name)
    {
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (IsNamed(field, received, name))
            {
                return field.Value(received);
            }
        }

        return default;
    }

    /// <summary>
    /// Writes the values of all fields of that name as one (RFC 9110 section 5.3), as nginx does
    /// from 1.23 on: cookies with "; " between them (RFC 9113 section 8.2.3), others with ", ".
    /// </summary>
    public static void WriteAll(
        ref ByteWriter writer,
        RequestHead head,
        ReadOnlySpan<byte> received,
        ReadOnlySpan<byte> name)
    {
        bool isFirst = true;
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (!IsNamed(field, received, name))
            {
                continue;
            }

            if (!isFirst)
            {
                writer.Write(field.Kind == HeaderKind.Cookie ? "; "u8 : ", "u8);
            }

            writer.Write(field.Value(received));
            isFirst = false;
        }
    }

    /// <summary>The value of the first cookie of that name (RFC 6265 section 4.2).</summary>
    public static ReadOnlySpan<byte> FindCookie(
        RequestHead head, ReadOnlySpan<byte> received, ReadOnlySpan<byte> name)
    {
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.Kind != HeaderKind.Cookie)
            {
                continue;
            }

            ReadOnlySpan<byte> rest = field.Value(received);
            while (!rest.IsEmpty)
            {
                int end = rest.IndexOf((byte)';');
                ReadOnlySpan<byte> pair = (end < 0 ? rest : rest[..end]).Trim((byte)' ');
                if (pair.Length > name.Length && pair[name.Length] == '='
                    && pair.StartsWith(name))
                {
                    return pair[(name.Length + 1)..];
                }

                rest = end < 0 ? default : rest[(end + 1)..];
            }
        }

        return default;
    }

    /// <summary>As for a request, in the text of a whole head.</summary>
    /// <param name="head">Status line and fields; whatever lies behind a full line.</param>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> head, ReadOnlySpan<byte> name)
    {
        while (TryNextField(head, out var field, out var value, out var behind))
        {
            head = behind;
            if (field.Length == name.Length && IsName(field, name))
            {
                return value;
            }
        }

        return default;
    }

    /// <summary>The values of all fields of that name in a whole head, as one.</summary>
    public static void WriteAllOfHead(
        ref ByteWriter writer, ReadOnlySpan<byte> head, ReadOnlySpan<byte> name)
    {
        bool isFirst = true;
        while (TryNextField(head, out var field, out var value, out var behind))
        {
            head = behind;
            if (field.Length == name.Length && IsName(field, name))
            {
                writer.Write(isFirst ? default : ", "u8);
                writer.Write(value);
                isFirst = false;
            }
        }
    }

    /// <summary>As for a request, in the lines of trailers.</summary>
    public static void WriteAll(
        ref ByteWriter writer, ReadOnlySpan<byte> lines, ReadOnlySpan<byte> name)
    {
        bool isFirst = true;
        while (!lines.IsEmpty)
        {
            int end = lines.IndexOf("\r\n"u8);
            int colon = lines[..end].IndexOf((byte)':');
            if (colon == name.Length && IsName(lines[..colon], name))
            {
                writer.Write(isFirst ? default : ", "u8);
                writer.Write(lines[(colon + 2)..end]);
                isFirst = false;
            }

            lines = lines[(end + 2)..];
        }
    }

    /// <summary>
    /// The value of the cookie of that name that a head sets (RFC 6265 section 4.1).
    /// </summary>
    public static ReadOnlySpan<byte> FindSetCookie(
        ReadOnlySpan<byte> head, ReadOnlySpan<byte> name)
    {
        while (TryNextField(head, out var field, out var value, out var behind))
        {
            head = behind;
            if (field.Length == 10 && IsName(field, "set_cookie"u8)
                && value.Length > name.Length && value[name.Length] == '='
                && value.StartsWith(name))
            {
                ReadOnlySpan<byte> rest = value[(name.Length + 1)..];
                int end = rest.IndexOf((byte)';');
                return end < 0 ? rest : rest[..end].TrimEnd((byte)' ');
            }
        }

        return default;
    }

    /// <summary>Drops the line in front, and takes the one behind it apart.</summary>
    private static bool TryNextField(
        ReadOnlySpan<byte> head,
        out ReadOnlySpan<byte> name,
        out ReadOnlySpan<byte> value,
        out ReadOnlySpan<byte> behind)
    {
        name = default;
        value = default;
        int end = head.IndexOf((byte)'\n');
        head = end < 0 ? default : head[(end + 1)..];
        behind = head;
        int length = head.IndexOf("\r\n"u8);
        int colon = length <= 0 ? -1 : head[..length].IndexOf((byte)':');
        if (colon <= 0)
        {
            return false;
        }

        name = head[..colon];
        value = head[(colon + 1)..length].Trim(" \t"u8);
        return true;
    }

    private static bool IsNamed(
        in HeaderField field, ReadOnlySpan<byte> received, ReadOnlySpan<byte> name) =>
        field.NameLength == name.Length
        && field.Kind != HeaderKind.Underscored
        && IsName(field.Name(received), name);

    private static bool IsName(ReadOnlySpan<byte> sent, ReadOnlySpan<byte> name)
    {
        for (int i = 0; i < name.Length; i++)
        {
            int letter = sent[i] == '-' ? '_' : char.ToLowerInvariant((char)sent[i]);
            if (letter != name[i])
            {
                return false;
            }
        }

        return true;
    }
}
