using System.Diagnostics.CodeAnalysis;
using Tessera.Linux;
using Tessera.Linux.Files;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Files;

/// <summary>What a path stands for.</summary>
/// <param name="Errno">Why there is no file; 0 when there is one, or a folder.</param>
internal readonly record struct LookUp(OpenFile? File, int Errno, bool IsFolder);

/// <summary>
/// The files that were asked for lately: small ones with their content, large ones open. What a
/// name stands for is looked at again once a second; a large file, whose pieces are sent from the
/// disk, at each request. Bounded in files, descriptors and bytes; the one not used for longest
/// goes first. Owned by one reactor.
/// </summary>
internal sealed class FileCache
{
    /// <summary>Larger files are sent from their descriptor.</summary>
    public const int MaxContentBytes = 64 * 1_024;

    private const int MaxFiles = 4_096;
    private const int CheckIntervalMs = 1_000;

    /// <summary>AT_FDCWD of openat(2): an absolute path needs no folder.</summary>
    private const int CurrentFolder = -100;

    /// <summary>Not used for so long, a file is closed when another is opened.</summary>
    private const int MaxIdleMs = 60_000;

    /// <summary>The same for a descriptor, which keeps the space of a deleted file.</summary>
    private const int MaxIdleOpenMs = 1_000;

    /// <summary>How coarse the times of files may be.</summary>
    private const long SettleNs = 100_000_000;

    private readonly Dictionary<byte[], OpenFile> _files = new(KeyComparer.Instance);
    private readonly Dictionary<byte[], OpenFile>.AlternateLookup<ReadOnlySpan<byte>> _lookup;
    private readonly int _maxDescriptors;
    private readonly long _maxBytes;
    private readonly Sweep? _sweep;
    private OpenFile? _newest;
    private OpenFile? _oldest;
    private int _descriptors;
    private long _bytes;

    /// <param name="reactor">
    /// Whose timers close what is not used; null leaves that to who opens another file.
    /// </param>
    public FileCache(int maxDescriptors, long maxBytes, Reactor? reactor = null)
    {
        _sweep = reactor is null ? null : new Sweep(this, reactor);
        _maxDescriptors = maxDescriptors;
        _maxBytes = maxBytes;
        _lookup = _files.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    public int Count => _files.Count;

    /// <summary>Files that are open, those aside that are sent and were let go of.</summary>
    public int Descriptors => _descriptors;

    /// <summary>The file, from here or from the disk.</summary>
    /// <param name="path">
    /// <see cref="FileSite.KeyPrefix"/>, the path below the root, and NUL.
    /// </param>
    public LookUp Find(
        FileSite site, ReadOnlySpan<byte> path, long nowMs, LinkCheck links = default)
    {
        ReadOnlySpan<byte> key = path[..^1];
        if (_lookup.TryGetValue(key, out OpenFile? known))
        {
            if (nowMs - known.CheckedMs < CheckIntervalMs && !site.IsWholeSystem
                && IsStillWhole(known))
            {
                Touch(known, nowMs);
                return new LookUp(known, 0, false);
            }
        }

        SyscallResult opened = Open(site, RelativeTo(site, path), links, out FileStatus status);
        bool isSame = known is not null && opened.IsSuccess && known.Status == status
            && !known.IsUnsettled;
        if (isSame)
        {
            FileCalls.Close(opened.IntValue);
            known!.CheckedMs = nowMs;
            known.Missing = default;
            Touch(known, nowMs);
            return new LookUp(known, 0, false);
        }

        if (known is not null)
        {
            Remove(known);
        }

        if (!opened.IsSuccess)
        {
            return new LookUp(null, opened.Errno, false);
        }

        if (status.Kind != FileKind.Regular)
        {
            FileCalls.Close(opened.IntValue);
            bool isFolder = status.Kind == FileKind.Folder;
            return new LookUp(null, isFolder ? 0 : FileErrno.NoEntry, isFolder);
        }

        return Add(key.ToArray(), opened.IntValue, status, nowMs);
    }

    /// <summary>The descriptor of a folder below the root, which the caller closes.</summary>
    public static SyscallResult OpenFolder(FileSite site, ReadOnlySpan<byte> path) =>
        Open(site, RelativeTo(site, path), isFolder: true);

    /// <summary>Of the whole system, paths keep their first slash.</summary>
    private static ReadOnlySpan<byte> RelativeTo(FileSite site, ReadOnlySpan<byte> path) =>
        site.IsWholeSystem ? path[1..] : path[site.KeyPrefix.Length..];

    /// <summary>The file holds more than before, or may: others may have to go for it.</summary>
    public void NoteGrowth(OpenFile file)
    {
        if (_lookup.TryGetValue(file.Key, out OpenFile? known) && known == file)
        {
            _bytes += file.MeasureGrowth();
            MakeRoom(file);
        }
    }

    /// <summary>Closes all that is not being sent.</summary>
    public void Clear()
    {
        while (_oldest is { } file)
        {
            Remove(file);
        }
    }

    private static SyscallResult Open(
        FileSite site, ReadOnlySpan<byte> relative, LinkCheck links, out FileStatus status)
    {
        status = default;
        SyscallResult opened = links.IsOn
            ? FileCalls.OpenUnlinked(relative, links.Trusted, links.FollowsOwners)
            : Open(site, relative, isFolder: false);
        if (!opened.IsSuccess)
        {
            return opened;
        }

        SyscallResult seen = FileCalls.GetStatus(opened.IntValue, out status);
        if (!seen.IsSuccess)
        {
            FileCalls.Close(opened.IntValue);
            return seen;
        }

        return opened;
    }

    /// <summary>
    /// The root is opened each time: it may be a link that is swapped for the next release.
    /// </summary>
    private static SyscallResult Open(
        FileSite site, ReadOnlySpan<byte> relative, bool isFolder)
    {
        if (site.IsWholeSystem)
        {
            return FileCalls.OpenBelow(
                CurrentFolder, relative, staysBelow: false, isFolder);
        }

        SyscallResult root = FileCalls.OpenRoot(site.Root);
        if (!root.IsSuccess)
        {
            return root;
        }

        ReadOnlySpan<byte> path = relative.Length > 1 ? relative : ".\0"u8;
        SyscallResult opened = FileCalls.OpenBelow(
            root.IntValue, path, site.StaysBelowRoot, isFolder);
        FileCalls.Close(root.IntValue);
        return opened;
    }

    /// <summary>Closes descriptors that nobody has used for a while.</summary>
    internal void CloseIdle(long nowMs)
    {
        for (OpenFile? file = _oldest; file is not null;)
        {
            OpenFile? newer = file.Newer;
            if (file.Content is null && nowMs - file.UsedMs >= MaxIdleOpenMs)
            {
                Remove(file);
            }

            file = newer;
        }
    }

    /// <summary>
    /// Content in memory is as whole as it was; a descriptor shows what happens to its file.
    /// </summary>
    private static bool IsStillWhole(OpenFile file) =>
        file.Content is not null
        || (FileCalls.GetStatus(file.Descriptor, out FileStatus status).IsSuccess
            && status == file.Status);

    private LookUp Add(byte[] key, int descriptor, FileStatus status, long nowMs)
    {
        long ageNs = ((DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100) - status.ModifiedNs;
        byte[]? content = null;
        if (status.Length <= MaxContentBytes)
        {
            SyscallResult read = ReadAll(descriptor, (int)status.Length, out content);
            FileCalls.Close(descriptor);
            descriptor = -1;
            if (!read.IsSuccess)
            {
                return new LookUp(null, read.Errno, false);
            }
        }

        var file = new OpenFile(key, status, descriptor, content)
        {
            CheckedMs = nowMs,
            IsUnsettled = ageNs is > -SettleNs and < SettleNs
                || (content is not null && content.Length != status.Length),
        };
        _files.Add(key, file);
        _descriptors += descriptor >= 0 ? 1 : 0;
        _bytes += file.MeasureGrowth();
        file.UsedMs = nowMs;
        Link(file);
        MakeRoom(file);
        _sweep?.Begin();
        while (_oldest is { } old && old != file && nowMs - old.UsedMs > MaxIdleMs)
        {
            Remove(old);
        }

        return new LookUp(file, 0, false);
    }

    /// <summary>As much as there is: the file may be shorter by now.</summary>
    private static SyscallResult ReadAll(int descriptor, int length, out byte[] content)
    {
        content = Allocate(length);
        int done = 0;
        while (done < length)
        {
            SyscallResult read = FileCalls.Read(descriptor, content.AsSpan(done), done);
            if (!read.IsSuccess)
            {
                return read;
            }

            if (read.Value == 0)
            {
                byte[] whole = Allocate(done);
                content.AsSpan(0, done).CopyTo(whole);
                content = whole;
                break;
            }

            done += read.IntValue;
        }

        return SyscallResult.Success(done);
    }

    private static byte[] Allocate(int bytes) =>
        GC.AllocateUninitializedArray<byte>(bytes, pinned: true);

    private void MakeRoom(OpenFile kept)
    {
        while (_oldest is { } old && old != kept
            && (_files.Count > MaxFiles || _bytes > _maxBytes))
        {
            Remove(old);
        }

        for (OpenFile? file = _oldest; file is not null && _descriptors > _maxDescriptors;)
        {
            OpenFile? next = file.Newer;
            if (file != kept && file.Content is null)
            {
                Remove(file);
            }

            file = next;
        }
    }

    private void Remove(OpenFile file)
    {
        _files.Remove(file.Key);
        _descriptors -= file.Content is null ? 1 : 0;
        _bytes -= file.HeldBytes;
        Unlink(file);
        file.Drop();
    }

    private void Touch(OpenFile file, long nowMs)
    {
        file.UsedMs = nowMs;
        if (_newest != file)
        {
            Unlink(file);
            Link(file);
        }
    }

    private void Link(OpenFile file)
    {
        file.Older = _newest;
        if (_newest is not null)
        {
            _newest.Newer = file;
        }

        _newest = file;
        _oldest ??= file;
    }

    private void Unlink(OpenFile file)
    {
        if (file.Newer is null)
        {
            _newest = file.Older;
        }
        else
        {
            file.Newer.Older = file.Older;
        }

        if (file.Older is null)
        {
            _oldest = file.Newer;
        }
        else
        {
            file.Older.Newer = file.Newer;
        }

        file.Newer = null;
        file.Older = null;
    }

    /// <summary>Once a second while files are open. Owned by the cache's reactor.</summary>
    private sealed class Sweep(FileCache cache, Reactor reactor) : TimerEntry
    {
        private bool _isUnderWay;

        public void Begin()
        {
            if (!_isUnderWay && cache.Descriptors > 0)
            {
                _isUnderWay = true;
                reactor.Timers.Arm(this, reactor.NowMs + MaxIdleOpenMs);
            }
        }

        protected internal override void Expire()
        {
            _isUnderWay = false;
            cache.CloseIdle(reactor.NowMs);
            Begin();
        }
    }

    /// <summary>Finds keys by spans of bytes. Stateless.</summary>
    private sealed class KeyComparer
        : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public static readonly KeyComparer Instance = new();

        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) =>
            alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = default(HashCode);
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
    }
}
