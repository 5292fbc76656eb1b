using System.Text;

namespace Tessera.Proxy.Compression;

/// <summary>What of a route is compressed: its configuration, made ready. Immutable.</summary>
internal sealed class CompressionRule
{
    private readonly byte[][] _types;

    public CompressionRule(CompressionConfig config)
    {
        _types = [.. config.Types.Select(Encoding.ASCII.GetBytes)];
        MinBytes = config.MinBytes;
        Level = Math.Clamp(config.Level, 1, 9);
        Codings = (config.UsesGzip ? ContentCodings.Gzip : ContentCodings.None)
            | (config.UsesBrotli ? ContentCodings.Brotli : ContentCodings.None);
    }

    public ContentCodings Codings { get; }

    public int MinBytes { get; }

    public int Level { get; }

    /// <param name="contentType">The value of Content-Type, with its parameters.</param>
    public bool Covers(ReadOnlySpan<byte> contentType)
    {
        int end = contentType.IndexOf((byte)';');
        ReadOnlySpan<byte> type =
            (end < 0 ? contentType : contentType[..end]).TrimEnd(" \t"u8);
        foreach (byte[] pattern in _types)
        {
            bool isOpen = pattern.Length > 0 && pattern[^1] == '*';
            ReadOnlySpan<byte> prefix = isOpen ? pattern.AsSpan(0, pattern.Length - 1) : pattern;
            if (type.Length >= prefix.Length
                && (isOpen || type.Length == prefix.Length)
                && Ascii.EqualsIgnoreCase(type[..prefix.Length], prefix))
            {
                return !type.IsEmpty;
            }
        }

        return false;
    }
}
