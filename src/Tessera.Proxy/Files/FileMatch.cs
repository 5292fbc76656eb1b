using Tessera.Proxy.Compression;

namespace Tessera.Proxy.Files;

/// <summary>What a request for a file leads to.</summary>
internal enum FileOutcome : byte
{
    /// <summary>An answer without a file: <see cref="FileMatch.Status"/>.</summary>
    Status,

    File,

    /// <summary>The path lacks the slash at its end.</summary>
    Redirect,

    /// <summary>What the folder holds is shown.</summary>
    Listing,

    /// <summary>The route's backend answers.</summary>
    Backend,
}

/// <summary>What was found for a request, and in which form it is sent.</summary>
internal readonly record struct FileMatch(FileOutcome Outcome)
{
    /// <summary>200 unless a path that was tried says otherwise.</summary>
    public int Status { get; init; }

    /// <summary>Why it could not be opened, where that is worth a line; else 0.</summary>
    public int Errno { get; init; }

    /// <summary>Acquired: whoever got the match releases it.</summary>
    public OpenFile? File { get; init; }

    /// <summary>A folder to be listed, which whoever got the match closes.</summary>
    public int Folder { get; init; }

    public byte[]? Type { get; init; }

    /// <summary>What the file is precompressed with.</summary>
    public ContentCoding Coding { get; init; }

    /// <summary>What it is compressed with on its way.</summary>
    public ContentCoding Compression { get; init; }

    /// <summary>Another client may get it in another coding.</summary>
    public bool Varies { get; init; }

    public static FileMatch OfStatus(int status, int errno = 0) =>
        new(FileOutcome.Status) { Status = status, Errno = status == 404 ? 0 : errno };
}
