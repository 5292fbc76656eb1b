using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using Tessera.Stack.Discovery;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// Lines of several slots, merged by time. Reads from the files at its own reader's pace, so that a
/// slow follower costs no memory. Threading: one reader each.
/// </summary>
internal sealed class LogReader(
    LogPump pump, Func<IEnumerable<(SlotName Name, SlotLog Log)>> findSlots, LogQuery query)
{
    // New slots and segments are also looked for when nothing was signalled for so long.
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    // Lines between two looks for new slots and segments: one busy slot must not hide the others.
    private const int MaxRound = 1_000;

    // Segments that are kept open from the beginning, lest rotation deletes them before they are
    // read. Those of very many slots would take more descriptors than a process has.
    private const int MaxHeld = 256;

    private readonly Dictionary<SlotName, SlotCursors> _slots = [];
    private readonly PriorityQueue<Entry, (long Time, int Order)> _queue = new();
    private int _order;

    private sealed record Entry(SlotName Name, LogCursor Cursor, int Order);

    private sealed class SlotCursors
    {
        public long LastSequence { get; set; }

        public List<Entry> Idle { get; } = [];
    }

    public async IAsyncEnumerable<LogLine> ReadAsync(
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        try
        {
            bool isFirst = true;
            while (true)
            {
                Task grown = pump.WhenGrownAsync();
                OpenSegments(isFirst);
                QueueIdle();
                for (int i = 0; i < MaxRound && TryTake(out LogLine? line); i++)
                {
                    if (line is null)
                    {
                        continue;
                    }

                    cancellation.ThrowIfCancellationRequested();
                    if (query.Until is DateTimeOffset until && line.Time > until)
                    {
                        yield break;
                    }

                    if (query.Since is not DateTimeOffset since || line.Time >= since)
                    {
                        yield return line;
                    }
                }

                isFirst = false;
                if (_queue.Count > 0)
                {
                    continue;
                }

                if (!query.Follow)
                {
                    yield break;
                }

                await ((Task)grown.WaitAsync(LookAgain, TimeProvider.System, cancellation))
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                cancellation.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            foreach (Entry entry in _slots.Values.SelectMany(slot => slot.Idle))
            {
                entry.Cursor.Dispose();
            }

            foreach ((Entry entry, _) in _queue.UnorderedItems)
            {
                entry.Cursor.Dispose();
            }
        }
    }

    /// <summary>
    /// The line with the lowest time of all; its cursor goes on or falls idle. Null when a cursor
    /// had to be opened first, to know the time of its first line.
    /// </summary>
    private bool TryTake(out LogLine? line)
    {
        line = null;
        if (!_queue.TryDequeue(out Entry? entry, out _))
        {
            return false;
        }

        if (entry.Cursor.IsFresh)
        {
            Queue(entry);
            return true;
        }

        line = new LogLine(
            entry.Name,
            DateTimeOffset.UnixEpoch.AddMicroseconds(entry.Cursor.Time),
            entry.Cursor.Text);
        Queue(entry);
        return true;
    }

    private void QueueIdle()
    {
        foreach (SlotCursors slot in _slots.Values)
        {
            Entry[] idle = [.. slot.Idle];
            slot.Idle.Clear();
            foreach (Entry entry in idle)
            {
                // A file is read when its time comes, not when it is found.
                if (entry.Cursor.IsFresh && entry.Cursor.ReadFirstTime() is > 0 and long first)
                {
                    _queue.Enqueue(entry, (first, entry.Order));
                }
                else
                {
                    Queue(entry);
                }
            }
        }
    }

    private void Queue(Entry entry)
    {
        SlotCursors slot = _slots[entry.Name];
        bool isSuperseded = slot.LastSequence > entry.Cursor.Segment.Sequence;
        // A full segment may end within a line: that one is too long for it, and is cut there.
        bool isComplete = isSuperseded && !entry.Cursor.Segment.IsOpen;
        if (entry.Cursor.MoveNext(takesPart: !query.Follow || isComplete))
        {
            _queue.Enqueue(entry, (entry.Cursor.Time, entry.Order));
        }
        else if (isSuperseded && entry.Cursor.IsAtEnd)
        {
            entry.Cursor.Dispose();
        }
        else
        {
            slot.Idle.Add(entry);
        }
    }

    /// <summary>A cursor for every segment that has none yet; of a new slot, for all.</summary>
    private void OpenSegments(bool isFirst)
    {
        // What is written from now on is for those who follow: a fast writer would never let
        // another reader end.
        if (!isFirst && !query.Follow)
        {
            return;
        }

        HashSet<SlotName> present = [];
        foreach ((SlotName name, SlotLog log) in findSlots().OrderBy(
            slot => slot.Name.ToString(), StringComparer.Ordinal))
        {
            present.Add(name);
            if (!_slots.TryGetValue(name, out SlotCursors? slot))
            {
                slot = new SlotCursors();
                _slots.Add(name, slot);
            }

            foreach ((LogSegment segment, long start) in isFirst && query.Tail is int tail
                ? FindTail(log, tail).AsEnumerable()
                : log.Segments.Select(segment => (segment, 0L)))
            {
                if (segment.Sequence > slot.LastSequence)
                {
                    slot.LastSequence = segment.Sequence;
                    slot.Idle.Add(new Entry(name, CreateCursor(segment, start), _order++));
                }
            }
        }

        foreach (SlotName gone in _slots.Keys.Where(name => !present.Contains(name)).ToArray())
        {
            _slots[gone].Idle.ForEach(entry => entry.Cursor.Dispose());
            _slots.Remove(gone);
        }
    }

    private LogCursor CreateCursor(LogSegment segment, long start)
    {
        var cursor = new LogCursor(segment, start, query.Follow ? null : segment.Length);
        if (_order < MaxHeld)
        {
            cursor.Hold();
        }

        return cursor;
    }

    /// <summary>
    /// Where the last lines of a slot begin; segments before them are passed over.
    /// </summary>
    private static Stack<(LogSegment Segment, long Start)> FindTail(SlotLog log, int lines)
    {
        var found = new Stack<(LogSegment, long)>();
        int missing = lines;
        for (int i = log.Segments.Length - 1; i >= 0; i--)
        {
            LogSegment segment = log.Segments[i];
            long start = missing > 0 ? FindLastLines(segment, ref missing) : segment.Length;
            found.Push((segment, start));
            if (missing <= 0)
            {
                break;
            }
        }

        return found;
    }

    /// <summary>
    /// Offset of the last <paramref name="missing"/> lines; less those that it has.
    /// </summary>
    private static long FindLastLines(LogSegment segment, ref int missing)
    {
        using SafeFileHandle? file = segment.OpenForReading(index: false);
        long end = segment.Length;
        if (file is null || end == 0)
        {
            return 0;
        }

        var block = new byte[64 * 1024];
        bool isLastByte = true;
        int ends = 0;
        while (end > 0)
        {
            int length = (int)Math.Min(block.Length, end);
            end -= length;
            _ = RandomAccess.Read(file, block.AsSpan(0, length), end);
            for (int i = length - 1; i >= 0; i--)
            {
                // The end of the last line does not begin another one.
                if (block[i] == '\n' && !isLastByte && ++ends == missing)
                {
                    missing = 0;
                    return end + i + 1;
                }

                isLastByte = false;
            }
        }

        missing -= ends + 1;
        return 0;
    }
}
