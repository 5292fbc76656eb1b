namespace Tessera.Tests.Proxy.Http;

/// <summary>
/// A chunked body read the plain way: whole, line by line, with strings. Slow and obvious, so that
/// the incremental decoder can be held against it.
/// </summary>
internal static class ReferenceChunkedBody
{
    private static readonly string[] Forbidden = ["Host", "Content-Length", "Transfer-Encoding"];

    /// <summary>
    /// The data and where the body ends; data is null while the body is cut short, and end is -1
    /// when it is invalid.
    /// </summary>
    public static (byte[]? Data, int End) Read(byte[] bytes)
    {
        var data = new List<byte>();
        int at = 0;
        int unpaidExtension = 0;
        while (true)
        {
            (string? line, int next) = Line(
                bytes, at, IsSizeLinePrefix, text => text.Length > 0);
            if (line == null)
            {
                return (null, next);
            }

            string digits = line.Split(';')[0];
            string extension = line[digits.Length..];
            unpaidExtension += Math.Max(0, extension.Length - 1);
            if (unpaidExtension > 16 * 1_024)
            {
                return (null, -1);
            }

            long size = Convert.ToInt64(digits, 16);
            at = next;
            if (size == 0)
            {
                break;
            }

            int taken = (int)Math.Min(size, bytes.Length - at);
            data.AddRange(bytes.AsSpan(at, taken));
            unpaidExtension = Math.Max(0, unpaidExtension - taken);
            at += taken;
            for (int i = 0; i < 2; i++, at++)
            {
                if (at == bytes.Length)
                {
                    return (null, at);
                }

                if (bytes[at] != "\r\n"[i])
                {
                    return (null, -1);
                }
            }
        }

        while (true)
        {
            (string? line, int next) = Line(
                bytes, at, IsTrailerPrefix, text => text.Length == 0 || text.Contains(':'));
            if (line == null)
            {
                return (null, next);
            }

            at = next;
            if (line.Length == 0)
            {
                return (data.ToArray(), at);
            }
        }
    }

    /// <summary>
    /// The line at <paramref name="at"/> and where the next begins. Null when it is cut short, with
    /// the length of the bytes, or when no valid line begins so, with -1.
    /// </summary>
    private static (string? Line, int Next) Line(
        byte[] bytes, int at, Func<string, bool> isPrefix, Func<string, bool> isLine)
    {
        for (int end = at; end < bytes.Length; end++)
        {
            string soFar = Bytes.Text(bytes.AsSpan(at, end - at));
            if (bytes[end] == '\r')
            {
                if (!isLine(soFar) || (end + 1 < bytes.Length && bytes[end + 1] != '\n'))
                {
                    return (null, -1);
                }

                return end + 1 == bytes.Length ? (null, bytes.Length) : (soFar, end + 2);
            }

            if (!isPrefix(soFar + (char)bytes[end]))
            {
                return (null, -1);
            }
        }

        return (null, bytes.Length);
    }

    private static bool IsSizeLinePrefix(string text)
    {
        string digits = text.Split(';')[0];
        string extension = text[digits.Length..];
        return digits.Length is > 0 and <= 16
            && digits.All(char.IsAsciiHexDigit)
            && (digits.Length < 16 || digits[0] < '8')
            && extension.Length <= 257
            && extension.All(IsVisible);
    }

    private static bool IsTrailerPrefix(string text)
    {
        string name = text.Split(':')[0];
        bool isWhole = text.Contains(':');
        return name.Length > 0
            && !(isWhole && Forbidden.Contains(name, StringComparer.OrdinalIgnoreCase))
            && name.All(c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c))
            && text.All(IsVisible);
    }

    private static bool IsVisible(char c) => c is '\t' or (>= ' ' and not '\x7f');
}
