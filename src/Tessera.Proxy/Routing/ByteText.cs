using System.Text;

namespace Tessera.Proxy.Routing;

/// <summary>
/// Bytes as letters that .NET's expressions take for what PCRE takes bytes for: each is one
/// letter, and those beyond ASCII are no letter, digit or space and have no letter case, as in the
/// C locale. They lie in Unicode's private area, about which nothing is known. Stateless.
/// </summary>
internal static class ByteText
{
    private const int HighBase = 0xE000;

    public static char LetterOf(byte value) => (char)(value < 0x80 ? value : HighBase + value);

    /// <summary>Writes as many letters as there are bytes.</summary>
    public static void Write(ReadOnlySpan<byte> bytes, Span<char> letters)
    {
        Encoding.Latin1.GetChars(bytes, letters);
        if (Ascii.IsValid(bytes))
        {
            return;
        }

        foreach (ref char letter in letters[..bytes.Length])
        {
            letter = LetterOf((byte)letter);
        }
    }

    public static string Of(ReadOnlySpan<byte> bytes) =>
        string.Create(bytes.Length, bytes, static (letters, source) => Write(source, letters));
}
