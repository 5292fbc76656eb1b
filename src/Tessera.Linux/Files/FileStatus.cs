namespace Tessera.Linux.Files;

/// <summary>What a name stands for.</summary>
public enum FileKind : byte
{
    /// <summary>A device, a pipe, a socket: nothing to send.</summary>
    Other,
    Regular,
    Folder,
}

/// <summary>
/// A file as statx(2) saw it. Two that are equal are the same file with the same content, as far as
/// the resolution of its times tells.
/// </summary>
/// <param name="Length">Bytes.</param>
/// <param name="ModifiedNs">Nanoseconds since 1970; so is <paramref name="ChangedNs"/>.</param>
public readonly record struct FileStatus(
    FileKind Kind, long Length, long ModifiedNs, long ChangedNs, ulong Inode, ulong Device)
{
    /// <summary>Its owner may execute it (S_IXUSR of inode(7)).</summary>
    public bool IsExecutable { get; init; }

    /// <summary>As equality, but for names and rights, which may differ.</summary>
    public bool HasSameContent(FileStatus other) =>
        other with { ChangedNs = ChangedNs, IsExecutable = IsExecutable } == this;

    private const long NsPerSecond = 1_000_000_000;

    /// <summary>Seconds since 1970, rounded down.</summary>
    public long ModifiedSeconds => ModifiedNs >= 0
        ? ModifiedNs / NsPerSecond
        : (ModifiedNs - NsPerSecond + 1) / NsPerSecond;
}
