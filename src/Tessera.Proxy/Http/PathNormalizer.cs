namespace Tessera.Proxy.Http;

/// <summary>
/// The path that a request means: percent-decoded, with repeated slashes as one and dot segments
/// resolved (RFC 3986 sections 2.1 and 5.2.4), so that no spelling of a path goes round a rule
/// about it. What is forwarded stays as the client spelt it. Stateless.
/// </summary>
internal static class PathNormalizer
{
    /// <summary>True when the path is its own normal form, which is nearly always so.</summary>
    public static bool IsNormal(ReadOnlySpan<byte> path) =>
        path.IndexOf((byte)'%') < 0 && path.IndexOf("//"u8) < 0 && path.IndexOf("/."u8) < 0;

    /// <summary>
    /// Writes the normal form, which is never longer. False for a broken escape, for %00, and for
    /// a path that climbs out of its root.
    /// </summary>
    /// <param name="mergesSlashes">False keeps repeated slashes.</param>
    public static bool TryNormalize(
        ReadOnlySpan<byte> path, Span<byte> destination, out int length,
        bool mergesSlashes = true)
    {
        length = 0;
        int segment = 0;
        for (int i = 0; i <= path.Length; i++)
        {
            // (1) The next byte, decoded. An encoded slash separates as any other.
            bool isEnd = i == path.Length;
            int value = isEnd ? '/' : path[i];
            if (!isEnd && value == '%')
            {
                value = Decode(path[i..]);
                i += 2;
                if (value <= 0)
                {
                    return false;
                }
            }

            if (value != '/')
            {
                destination[length++] = (byte)value;
                continue;
            }

            // (2) A segment ends: "", "." and ".." leave nothing behind.
            ReadOnlySpan<byte> last = destination[segment..length];
            if (last.SequenceEqual(".."u8))
            {
                if (segment <= 1)
                {
                    return false;
                }

                length = destination[..(segment - 1)].LastIndexOf((byte)'/') + 1;
            }
            else if (last.SequenceEqual("."u8))
            {
                length = segment;
            }
            else if (!isEnd && (last.Length > 0 || length == 0 || !mergesSlashes))
            {
                destination[length++] = (byte)'/';
            }

            segment = length;
        }

        return true;
    }

    /// <summary>-1 unless "%" and two hexadecimal digits stand there.</summary>
    private static int Decode(ReadOnlySpan<byte> escape) =>
        escape.Length >= 3
        && char.IsAsciiHexDigit((char)escape[1])
        && char.IsAsciiHexDigit((char)escape[2])
            ? (Digit(escape[1]) << 4) | Digit(escape[2])
            : -1;

    private static int Digit(byte hex) => hex <= '9' ? hex - '0' : (hex | 0x20) - 'a' + 10;
}
