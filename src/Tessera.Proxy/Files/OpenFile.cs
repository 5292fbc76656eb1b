using System.Text;
using Tessera.Linux.Files;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Http;

namespace Tessera.Proxy.Files;

/// <summary>
/// One version of a file, and what responses say about it: the content of a small one, the
/// descriptor of a large one. It is closed when the cache has let go of it and nobody sends from it
/// any more. Owned by one reactor.
/// </summary>
internal sealed class OpenFile
{
    private readonly byte[]?[] _compressed = new byte[]?[(int)ContentCoding.Brotli + 1];
    private int _compressedLevel;
    private int _users;
    private bool _isDropped;
    private FileSite? _typeSite;
    private byte[] _type = [];

    /// <param name="descriptor">Owned; -1 when there is <paramref name="content"/>.</param>
    public OpenFile(byte[] key, FileStatus status, int descriptor, byte[]? content)
    {
        Key = key;
        Status = status;
        Descriptor = descriptor;
        Content = content;
        Length = content?.Length ?? status.Length;
        ETag = Encoding.ASCII.GetBytes($"\"{status.ModifiedSeconds:x}-{Length:x}\"");
        LastModified = HttpDate.Format(status.ModifiedSeconds);
    }

    public byte[] Key { get; }

    public FileStatus Status { get; }

    /// <summary>-1 once closed, and for a file whose content is here.</summary>
    public int Descriptor { get; private set; }

    public byte[]? Content { get; }

    public long Length { get; }

    /// <summary>In quotes, as nginx makes it: time and length in hexadecimal.</summary>
    public byte[] ETag { get; }

    public byte[] LastModified { get; }

    /// <summary>When it was last seen to be what the name stands for.</summary>
    public long CheckedMs { get; set; }

    /// <summary>
    /// It was read so shortly after it was written that the next write may carry the same time.
    /// </summary>
    public bool IsUnsettled { get; init; }

    /// <summary>Codings that no precompressed file was found for at the last check.</summary>
    public ContentCodings Missing { get; set; }

    /// <summary>Bytes of content and of its compressed forms.</summary>
    public int HeldBytes { get; private set; }

    /// <summary>Neighbours in the order of their last use.</summary>
    internal OpenFile? Newer { get; set; }

    internal OpenFile? Older { get; set; }

    internal long UsedMs { get; set; }

    /// <summary>It stays open until <see cref="Release"/>.</summary>
    public void Acquire() => _users++;

    public void Release()
    {
        _users--;
        CloseUnused();
    }

    /// <summary>The cache has no further use for it.</summary>
    public void Drop()
    {
        _isDropped = true;
        CloseUnused();
    }

    /// <summary>By its name, as the site has it.</summary>
    public byte[] TypeFor(FileSite site)
    {
        if (_typeSite != site)
        {
            _type = site.Types.Find(Key);
            _typeSite = site;
        }

        return _type;
    }

    /// <summary>
    /// The content in that coding, made once; empty when it would be no smaller. Only for a file
    /// whose content is here.
    /// </summary>
    public byte[] CompressedBy(CompressorStock stock, ContentCoding coding, int level)
    {
        if (_compressedLevel != level)
        {
            Array.Clear(_compressed);
            _compressedLevel = level;
        }

        ref byte[]? compressed = ref _compressed[(int)coding];
        compressed ??= stock.Compress(Content!, coding, level);
        return compressed;
    }

    /// <summary>Counts anew what it holds. Returns by how much that has grown.</summary>
    internal int MeasureGrowth()
    {
        int before = HeldBytes;
        HeldBytes = Content?.Length ?? 0;
        foreach (byte[]? compressed in _compressed)
        {
            HeldBytes += compressed?.Length ?? 0;
        }

        return HeldBytes - before;
    }

    private void CloseUnused()
    {
        if (_isDropped && _users == 0 && Descriptor >= 0)
        {
            FileCalls.Close(Descriptor);
            Descriptor = -1;
        }
    }
}
