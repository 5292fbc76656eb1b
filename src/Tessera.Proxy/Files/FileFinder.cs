using Tessera.Linux;
using Tessera.Linux.Files;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Files;

/// <summary>
/// Finds the file that a request means, and the form of it that its client takes. Owned by one
/// reactor; each call ends within its turn.
/// </summary>
internal sealed class FileFinder
{
    /// <summary>PATH_MAX of Linux: no longer path can be opened.</summary>
    private const int MaxPathBytes = 4_096;

    private readonly FileCache _cache;
    private readonly CompressorStock _compressors;

    /// <summary>The path that is looked up, with the prefix of its site before it.</summary>
    private readonly byte[] _path = new byte[MaxPathBytes * 2];

    /// <summary>A path that variables were filled into.</summary>
    private readonly byte[] _text = new byte[MaxPathBytes];
    private int _length;

    public FileFinder(FileCache cache, CompressorStock compressors)
    {
        _cache = cache;
        _compressors = compressors;
    }

    public FileMatch Find(Exchange exchange, FileSite site, long nowMs)
    {
        // "http://host" means the path "/" (RFC 9110 section 4.2.3).
        RequestHead head = exchange.Request;
        ReadOnlySpan<byte> path = exchange.Path;
        path = path.IsEmpty && head.IsAbsoluteForm ? "/"u8 : path;
        FileMatch match = site.Tries.Length == 0
            ? FindPath(site, path, nowMs)
            : FindFirst(exchange, site, nowMs);
        match.File?.Acquire();
        return match.File is null ? match : ChooseForm(exchange, site, match, nowMs);
    }

    /// <summary>The first of the paths that is there; nginx's try_files.</summary>
    private FileMatch FindFirst(Exchange exchange, FileSite site, long nowMs)
    {
        for (int i = 0; i < site.Tries.Length; i++)
        {
            FileTry attempt = site.Tries[i];
            if (attempt.Path is null)
            {
                return attempt.IsBackend
                    ? new FileMatch(FileOutcome.Backend)
                    : FileMatch.OfStatus(attempt.Status);
            }

            var writer = new ByteWriter(_text);
            attempt.Path.Write(ref writer, exchange);
            if (writer.HasOverflowed || writer.Length == 0)
            {
                continue;
            }

            ReadOnlySpan<byte> path = writer.Written;
            if (i == site.Tries.Length - 1)
            {
                return FindPath(site, path, nowMs);
            }

            FileMatch match = attempt.WantsFolder
                ? TryFolder(exchange, site, path, nowMs)
                : TryFile(site, path, nowMs);
            if (match.Status != 404)
            {
                return match;
            }
        }

        return FileMatch.OfStatus(404);
    }

    private FileMatch TryFile(FileSite site, ReadOnlySpan<byte> path, long nowMs)
    {
        // A folder is no file, and whatever else is wrong with the path, the next may be right.
        LookUp found = TrySetPath(site, path) && !IsFolderPath(site)
            ? LookUp(site, nowMs)
            : default;
        return found.File is { } file ? MatchOf(file) : FileMatch.OfStatus(404);
    }

    private FileMatch TryFolder(
        Exchange exchange, FileSite site, ReadOnlySpan<byte> path, long nowMs)
    {
        if (!TrySetPath(site, path))
        {
            return FileMatch.OfStatus(404);
        }

        bool lacksSlash = path.Length == exchange.Path.Length + 1
            && path.StartsWith(exchange.Path)
            && !exchange.Path.EndsWith("/"u8);
        return FindIndex(site, lacksSlash, nowMs);
    }

    private FileMatch FindPath(FileSite site, ReadOnlySpan<byte> path, long nowMs)
    {
        if (path.IsEmpty || !TrySetPath(site, path))
        {
            return FileMatch.OfStatus(404);
        }

        if (IsFolderPath(site))
        {
            return FindIndex(site, lacksSlash: path[^1] != '/', nowMs);
        }

        LookUp found = LookUp(site, nowMs);
        return found.File is { } file ? MatchOf(file)
            : found.IsFolder ? new FileMatch(FileOutcome.Redirect) { Status = 301 }
            : FileMatch.OfStatus(StatusOf(found.Errno), found.Errno);
    }

    /// <summary>The folder's first index file; else what it holds, when that may be seen.</summary>
    /// <param name="lacksSlash">
    /// The client asked without the slash, so relative links would lead it astray.
    /// </param>
    private FileMatch FindIndex(FileSite site, bool lacksSlash, long nowMs)
    {
        if (lacksSlash)
        {
            return LookUp(site, nowMs) is { IsFolder: true }
                ? new FileMatch(FileOutcome.Redirect) { Status = 301 }
                : FileMatch.OfStatus(404);
        }

        int folderLength = _length;
        foreach (byte[] index in site.Index)
        {
            _length = folderLength;
            if (!TryAppend(index))
            {
                continue;
            }

            LookUp found = LookUp(site, nowMs);
            if (found.File is { } file)
            {
                return MatchOf(file);
            }

            int status = StatusOf(found.Errno);
            if (!found.IsFolder && status != 404)
            {
                return FileMatch.OfStatus(status, found.Errno);
            }
        }

        _length = folderLength;
        SyscallResult folder = FileCache.OpenFolder(site, Terminated());
        if (!folder.IsSuccess)
        {
            return FileMatch.OfStatus(StatusOf(folder.Errno), folder.Errno);
        }

        if (site.ListsFolders)
        {
            return new FileMatch(FileOutcome.Listing) { Status = 200, Folder = folder.IntValue };
        }

        FileCalls.Close(folder.IntValue);
        return FileMatch.OfStatus(403);
    }

    /// <summary>
    /// The file as it is, one that was compressed beforehand, or what is compressed on the way: as
    /// the client accepts it. <see cref="_path"/> still names the file.
    /// </summary>
    private FileMatch ChooseForm(Exchange exchange, FileSite site, FileMatch match, long nowMs)
    {
        OpenFile file = match.File!;
        byte[] type = file.TypeFor(site);
        CompressionRule? rule = exchange.Route?.Compression;
        bool isCompressible = rule is not null && site.MayTransform
            && file.Length >= rule.MinBytes && rule.Covers(type);
        match = match with { Type = type, Varies = site.IsPrecompressed || isCompressible };
        if (!match.Varies)
        {
            return match;
        }

        RequestHead head = exchange.Request;
        ReadOnlySpan<byte> received = exchange.Received;
        if (site.IsPrecompressed)
        {
            ContentCodings offered = ContentCodings.All & ~file.Missing;
            while (AcceptEncoding.Choose(head, received, offered) is var coding
                && coding != ContentCoding.Identity)
            {
                int length = _length;
                LookUp variant = TryAppend(ContentCodingNames.SuffixOf(coding))
                    ? LookUp(site, nowMs)
                    : default;
                _length = length;
                if (variant.File is { } precompressed)
                {
                    precompressed.Acquire();
                    file.Release();
                    return match with { File = precompressed, Coding = coding };
                }

                file.Missing |= coding.ToSet();
                offered &= ~coding.ToSet();
            }
        }

        // A part of a file is sent as it is (RFC 9110 section 14.2 has parts of what is stored).
        bool mayCompress = isCompressible
            && head is { Method: HttpMethod.Get, MinorVersion: 1 }
            && _compressors.HasRoom
            && !FileConditions.HasField(head, HeaderKind.Range);
        return mayCompress
            ? match with { Compression = AcceptEncoding.Choose(head, received, rule!.Codings) }
            : match;
    }

    private static FileMatch MatchOf(OpenFile file) =>
        new(FileOutcome.File) { Status = 200, File = file };

    private static int StatusOf(int errno) => errno switch
    {
        0 or FileErrno.NoEntry or FileErrno.NotFolder or FileErrno.NameTooLong
            or FileErrno.Invalid => 404,
        FileErrno.AccessDenied or FileErrno.NotPermitted or FileErrno.Link
            or FileErrno.OutOfFolder => 403,
        FileErrno.TooManyFiles or FileErrno.SystemFilesFull => 503,
        _ => 500,
    };

    private LookUp LookUp(FileSite site, long nowMs) =>
        _cache.Find(site, Terminated(), nowMs);

    private ReadOnlySpan<byte> Terminated()
    {
        _path[_length] = 0;
        return _path.AsSpan(0, _length + 1);
    }

    private bool IsFolderPath(FileSite site) =>
        _length == site.KeyPrefix.Length || _path[_length - 1] == '/';

    /// <summary>
    /// Puts the path below the site's root. False for what can be no file's: too long, with NUL, or
    /// with dots that climb. The kernel would refuse those as well, but a site that may leave its
    /// root by a link must not leave it by dots.
    /// </summary>
    private bool TrySetPath(FileSite site, ReadOnlySpan<byte> path)
    {
        if (!site.StripPrefix.AsSpan().IsEmpty)
        {
            if (path.StartsWith(site.StripPrefix))
            {
                path = path[site.StripPrefix.Length..];
            }
            else if (site.Tries.Length == 0)
            {
                return false;
            }
        }

        if (path.Contains((byte)0) || Climbs(path))
        {
            return false;
        }

        _length = 0;
        return TryAppend(site.KeyPrefix) && TryAppend(path.TrimStart((byte)'/'));
    }

    private bool TryAppend(ReadOnlySpan<byte> bytes)
    {
        // One byte is kept for NUL.
        if (!bytes.TryCopyTo(_path.AsSpan(_length.._path.Length)[..^1]))
        {
            return false;
        }

        _length += bytes.Length;
        return true;
    }

    private static bool Climbs(ReadOnlySpan<byte> path)
    {
        foreach (Range segment in path.Split((byte)'/'))
        {
            if (path[segment].SequenceEqual(".."u8))
            {
                return true;
            }
        }

        return false;
    }
}
