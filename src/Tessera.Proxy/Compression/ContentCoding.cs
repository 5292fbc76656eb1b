namespace Tessera.Proxy.Compression;

/// <summary>Content codings that are spoken here (RFC 9110 section 8.4.1).</summary>
internal enum ContentCoding : byte
{
    Identity,
    Gzip,
    Brotli,
}

/// <summary>Sets of codings.</summary>
[Flags]
internal enum ContentCodings : byte
{
    None = 0,
    Gzip = 1 << ContentCoding.Gzip,
    Brotli = 1 << ContentCoding.Brotli,
    All = Gzip | Brotli,
}

/// <summary>The words of codings. Stateless.</summary>
internal static class ContentCodingNames
{
    public static ReadOnlySpan<byte> TokenOf(ContentCoding coding) => coding switch
    {
        ContentCoding.Gzip => "gzip"u8,
        ContentCoding.Brotli => "br"u8,
        _ => default,
    };

    /// <summary>What a precompressed file's name ends with.</summary>
    public static ReadOnlySpan<byte> SuffixOf(ContentCoding coding) => coding switch
    {
        ContentCoding.Gzip => ".gz"u8,
        ContentCoding.Brotli => ".br"u8,
        _ => default,
    };

    public static ContentCodings ToSet(this ContentCoding coding) =>
        (ContentCodings)(1 << (int)coding) & ContentCodings.All;
}
