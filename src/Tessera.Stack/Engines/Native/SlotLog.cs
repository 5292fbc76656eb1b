using System.Collections.Immutable;
using Microsoft.Win32.SafeHandles;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// The log of a slot: segments in the order in which they were begun. An instance goes on in its
/// predecessor's segment, except when both write at once (while one replaces the other). Threading:
/// safe from any thread; segments are opened for instances by their supervisor and rotated by the
/// log pump.
/// </summary>
internal sealed class SlotLog
{
    // Rotation bounds the bytes; this bounds the files when instances are replaced over and over.
    private const int MaxSegments = 64;

    private readonly Lock _lock = new();
    private readonly string _folder;
    private readonly NativeEngineOptions _options;
    private ImmutableArray<LogSegment> _segments;

    public SlotLog(string name, string folder, NativeEngineOptions options)
    {
        Name = name;
        _folder = folder;
        _options = options;
        _segments = [.. LogSegment.FindAll(folder)];
    }

    /// <summary>The slot's name, for messages.</summary>
    public string Name { get; }

    public ImmutableArray<LogSegment> Segments
    {
        get
        {
            lock (_lock)
            {
                return _segments;
            }
        }
    }

    /// <summary>Bytes of one segment, its index included, before the next one is begun.</summary>
    public long SegmentBytes => _options.LogFileBytes;

    /// <summary>
    /// The segment for an instance: the one it wrote before (under another daemon), else the newest
    /// one where nobody writes it, else a new one.
    /// </summary>
    public LogSegment Open(string writer)
    {
        lock (_lock)
        {
            LogSegment? segment = _segments.LastOrDefault(segment => segment.Writer == writer);
            if (segment is null && !_segments.IsEmpty && !_segments[^1].IsOpen)
            {
                segment = _segments[^1].TryPassTo(writer) ? _segments[^1] : null;
            }

            if (segment is null)
            {
                segment = Begin(writer, out SafeFileHandle file, out SafeFileHandle index);
                file.Dispose();
                index.Dispose();
            }

            segment.IsOpen = true;
            DeleteOldest();
            return segment;
        }
    }

    /// <summary>
    /// The segment after one that is full, both its files open. When they cannot be opened, nothing
    /// has changed.
    /// </summary>
    public LogSegment Rotate(LogSegment full, out SafeFileHandle file, out SafeFileHandle index)
    {
        lock (_lock)
        {
            LogSegment next = Begin(full.Writer, out file, out index);
            next.IsOpen = true;
            full.IsOpen = false;
            DeleteOldest();
            return next;
        }
    }

    private LogSegment Begin(string writer, out SafeFileHandle file, out SafeFileHandle index)
    {
        long sequence = _segments.IsEmpty ? 1 : _segments[^1].Sequence + 1;
        var segment = new LogSegment(_folder, sequence, writer, 0);
        file = segment.OpenLogForWriting();
        try
        {
            index = segment.OpenIndexForWriting();
        }
        catch
        {
            file.Dispose();
            throw;
        }

        _segments = _segments.Add(segment);
        return segment;
    }

    private void DeleteOldest()
    {
        long kept = _options.LogFilesKept * _options.LogFileBytes;
        long total = 0;
        int count = 0;
        for (int i = _segments.Length - 1; i >= 0; i--)
        {
            LogSegment segment = _segments[i];
            total += Math.Max(segment.Length, 1);
            bool isOver = count >= _options.LogFilesKept && total > kept;
            if (!segment.IsOpen && (isOver || ++count > MaxSegments) && TryDelete(segment))
            {
                _segments = _segments.RemoveAt(i);
            }
        }
    }

    /// <summary>What cannot be deleted now stays known, and is tried the next time.</summary>
    private static bool TryDelete(LogSegment segment)
    {
        try
        {
            segment.Delete();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
