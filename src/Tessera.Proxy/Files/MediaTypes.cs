using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text;

namespace Tessera.Proxy.Files;

/// <summary>
/// Media type by the extension of a file's name: those of everyday use, and what a configuration
/// puts over them. Immutable.
/// </summary>
internal sealed class MediaTypes
{
    private const int MaxExtensionBytes = 32;

    private static readonly Dictionary<string, string> BuiltIn = Parse("""
        text/html html htm shtml
        text/css css
        text/xml xml
        text/plain txt text log conf ini
        text/markdown md markdown
        text/csv csv
        text/calendar ics
        text/javascript js mjs cjs
        text/vcard vcf
        text/vtt vtt
        text/yaml yaml yml
        text/x-component htc
        application/json json map
        application/ld+json jsonld
        application/geo+json geojson
        application/manifest+json webmanifest
        application/xhtml+xml xhtml
        application/atom+xml atom
        application/rss+xml rss
        application/wasm wasm
        application/pdf pdf
        application/zip zip
        application/gzip gz tgz
        application/x-tar tar
        application/x-bzip2 bz2
        application/x-xz xz
        application/zstd zst
        application/x-7z-compressed 7z
        application/vnd.rar rar
        application/java-archive jar war ear
        application/rtf rtf
        application/msword doc
        application/vnd.ms-excel xls
        application/vnd.ms-powerpoint ppt
        application/vnd.ms-fontobject eot
        application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
        application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
        application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
        application/vnd.oasis.opendocument.text odt
        application/vnd.oasis.opendocument.spreadsheet ods
        application/vnd.oasis.opendocument.presentation odp
        application/vnd.apple.mpegurl m3u8
        application/dash+xml mpd
        application/epub+zip epub
        application/postscript ps eps ai
        application/x-x509-ca-cert der pem crt
        application/x-xpinstall xpi
        application/x-shockwave-flash swf
        application/octet-stream bin exe dll deb dmg iso img msi msp msm rpm
        image/avif avif
        image/bmp bmp
        image/gif gif
        image/heic heic
        image/jpeg jpeg jpg
        image/jxl jxl
        image/png png
        image/apng apng
        image/svg+xml svg svgz
        image/tiff tif tiff
        image/vnd.wap.wbmp wbmp
        image/webp webp
        image/x-icon ico
        font/ttf ttf
        font/otf otf
        font/collection ttc
        font/woff woff
        font/woff2 woff2
        audio/midi mid midi kar
        audio/mpeg mp3
        audio/aac aac
        audio/flac flac
        audio/ogg ogg oga opus
        audio/wav wav
        audio/webm weba
        audio/x-m4a m4a
        video/3gpp 3gpp 3gp
        video/mp2t ts
        video/mp4 mp4
        video/mpeg mpeg mpg
        video/ogg ogv
        video/quicktime mov
        video/webm webm
        video/x-flv flv
        video/x-m4v m4v
        video/x-matroska mkv
        video/x-ms-asf asx asf
        video/x-ms-wmv wmv
        video/x-msvideo avi
        model/gltf+json gltf
        model/gltf-binary glb
        """);

    /// <summary>
    /// Locations that inherit a table of types share it: it is large, and dear to make.
    /// </summary>
    private static readonly ConditionalWeakTable<
        ImmutableSortedDictionary<string, string>, FrozenDictionary<string, byte[]>> Made = [];

    private readonly FrozenDictionary<string, byte[]> _types;
    private readonly FrozenDictionary<string, byte[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly byte[] _default;

    public MediaTypes(ImmutableSortedDictionary<string, string> over, string otherwise)
        : this(Freeze(BuiltIn, over), otherwise)
    {
    }

    private MediaTypes(FrozenDictionary<string, byte[]> types, string otherwise)
    {
        _types = types;
        _lookup = _types.GetAlternateLookup<ReadOnlySpan<char>>();
        _default = Encoding.ASCII.GetBytes(otherwise);
    }

    private static FrozenDictionary<string, byte[]> Freeze(
        Dictionary<string, string> under, ImmutableSortedDictionary<string, string> over)
    {
        var types = new Dictionary<string, string>(under, StringComparer.OrdinalIgnoreCase);
        foreach ((string extension, string type) in over)
        {
            types[extension.TrimStart('.')] = type;
        }

        return types.ToFrozenDictionary(
            t => t.Key, t => Encoding.ASCII.GetBytes(t.Value), StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>These types, and none of everyday use: nginx's types.</summary>
    public static MediaTypes Only(
        ImmutableSortedDictionary<string, string> types, string otherwise) =>
        new(Made.GetValue(types, own => Freeze([], own)), otherwise);

    /// <param name="path">A path whose last segment is the file's name.</param>
    public byte[] Find(ReadOnlySpan<byte> path)
    {
        ReadOnlySpan<byte> name = path[(path.LastIndexOf((byte)'/') + 1)..];
        ReadOnlySpan<byte> extension = name[(name.LastIndexOf((byte)'.') + 1)..];
        if (extension.Length == name.Length || extension.Length > MaxExtensionBytes)
        {
            return _default;
        }

        Span<char> text = stackalloc char[MaxExtensionBytes];
        int length = Encoding.Latin1.GetChars(extension, text);
        return _lookup.TryGetValue(text[..length], out byte[]? type) ? type : _default;
    }

    private static Dictionary<string, string> Parse(string table) => table
        .Split('\n')
        .Select(line => line.Trim().Split(' '))
        .SelectMany(words => words.Skip(1).Select(extension => (extension, words[0])))
        .ToDictionary(StringComparer.OrdinalIgnoreCase);
}
