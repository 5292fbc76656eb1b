using Microsoft.Win32.SafeHandles;
using Tessera.Linux;
using Tessera.Linux.Processes;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// Moves one instance's output from its FIFO to its slot's log. The kernel moves the bytes
/// (splice(2)): they are in the FIFO or in the file at every moment, so that a daemon that is
/// killed loses none. Threading: owned by the log pump's thread.
/// </summary>
internal sealed class LogWriter : IDisposable
{
    private const int MaxChunk = 256 * 1024;
    private const int MaxChunksInARow = 16;
    private const int PeekLength = 64 * 1024;

    // A line may carry a segment this far beyond its size before it is cut in two.
    private const long MaxLineOverrun = 1024 * 1024;

    private readonly SlotLog _log;
    private readonly SafeFileHandle _fifo;
    private readonly int _capacity;
    private readonly TimeProvider _time;
    private readonly Scratch _scratch;
    private LogSegment _segment;
    private SafeFileHandle _file;
    private SafeFileHandle _index;
    private long _indexLength;
    private long _lastEntryTime = -1;
    private bool _cannotSplice;
    private long _lostBytes;

    public LogWriter(
        SlotLog log, LogSegment segment, SafeFileHandle fifo, int capacity, TimeProvider time,
        Scratch scratch)
    {
        _log = log;
        _segment = segment;
        _fifo = fifo;
        _capacity = capacity;
        _time = time;
        _scratch = scratch;
        _file = segment.OpenLogForWriting();
        _index = segment.OpenIndexForWriting();
        _indexLength = RoundDown(RandomAccess.GetLength(_index));
        segment.Length = RandomAccess.GetLength(_file);
    }

    public int Descriptor => (int)_fifo.DangerousGetHandle();

    /// <summary>Set in the log pump's table while the FIFO is watched.</summary>
    public ulong? Token { get; set; }

    /// <summary>The slot's name, for messages.</summary>
    public string Name => _log.Name;

    /// <summary>Why nothing can be written at present; null when all is well.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Bytes that were dropped since the trouble began.</summary>
    public long LostBytes => _lostBytes;

    /// <summary>
    /// Moves what is there, up to a fair share; returns the bytes that reached the file.
    /// </summary>
    public long Move()
    {
        long total = 0;
        for (int i = 0; i < MaxChunksInARow && Trouble is null; i++)
        {
            int waiting = Fifo.CountWaitingBytes(_fifo);
            if (waiting == 0)
            {
                break;
            }

            try
            {
                total += MoveChunk(Math.Min(waiting, MaxChunk));
            }
            catch (Exception e) when (IsTrouble(e))
            {
                Trouble = e.Message;
            }
        }

        return total;
    }

    /// <summary>
    /// While nothing can be written: output waits in the FIFO, and is dropped once that is half
    /// full. Lost lines are better than an application that stands still because its log cannot be
    /// written.
    /// </summary>
    /// <returns>True when writing works again, which only output can show.</returns>
    public bool Recover()
    {
        if (Fifo.CountWaitingBytes(_fifo) == 0)
        {
            return false;
        }

        Trouble = null;
        if (Move() > 0 && Trouble is null)
        {
            return true;
        }

        while (Fifo.CountWaitingBytes(_fifo) > _capacity / 2)
        {
            SyscallResult dropped = Fifo.Read(_fifo, _scratch.Buffer);
            if (!dropped.IsSuccess)
            {
                break;
            }

            _lostBytes += dropped.Value;
        }

        return false;
    }

    public void ForgetLoss() => _lostBytes = 0;

    /// <summary>
    /// Moves the rest and ends the last line, so that the next instance begins its own.
    /// </summary>
    public void Finish()
    {
        // Its last chance, whatever the trouble was.
        Trouble = null;
        const int maxRounds = 1_000;
        for (int i = 0; i < maxRounds && Move() > 0; i++)
        {
        }

        try
        {
            if (Trouble is null && !EndsWithLine())
            {
                RandomAccess.Write(_file, "\n"u8, _segment.Length);
                _segment.Length++;
            }
        }
        catch (Exception e) when (IsTrouble(e))
        {
            Trouble = e.Message;
        }

        _segment.IsOpen = false;
    }

    public void Dispose()
    {
        _file.Dispose();
        _index.Dispose();
        _fifo.Dispose();
    }

    private long MoveChunk(int waiting)
    {
        bool isFull = _segment.Length + _indexLength >= _log.SegmentBytes;
        if (isFull && (EndsWithLine()
            || _segment.Length >= _log.SegmentBytes + MaxLineOverrun))
        {
            Rotate();
            isFull = false;
        }

        // A full segment ends with a line: what the FIFO holds is looked at to find where one ends.
        long room = _log.SegmentBytes - _segment.Length - _indexLength;
        int length = isFull ? FindLineEnd(waiting) : (int)Math.Clamp(room, 1, waiting);
        WriteIndex();
        SyscallResult moved = MoveBytes(length);
        if (!moved.IsSuccess)
        {
            Trouble = moved.Errno == ProcessErrno.Again ? null : ProcessErrno.Describe(moved.Errno);
            return 0;
        }

        _segment.Length += moved.Value;
        return moved.Value;
    }

    private SyscallResult MoveBytes(int length)
    {
        if (!_cannotSplice)
        {
            SyscallResult moved = Fifo.MoveToFile(_fifo, _file, _segment.Length, length);
            if (moved.Errno != ProcessErrno.Invalid)
            {
                return moved;
            }

            // A file system without splice: copied instead, with a moment in which the bytes are
            // in this process only.
            _cannotSplice = true;
        }

        Span<byte> buffer = _scratch.Buffer.AsSpan(0, Math.Min(length, _scratch.Buffer.Length));
        SyscallResult got = Fifo.Read(_fifo, buffer);
        if (got.IsSuccess)
        {
            RandomAccess.Write(_file, buffer[..got.IntValue], _segment.Length);
        }

        return got;
    }

    /// <summary>
    /// Written before the bytes it speaks of: an entry that a killed daemon left without bytes is
    /// followed by its successor's for the same offset, and the last one for an offset counts.
    /// </summary>
    private void WriteIndex()
    {
        TimeSpan sinceEpoch = _time.GetUtcNow() - DateTimeOffset.UnixEpoch;
        long now = sinceEpoch.Ticks / TimeSpan.TicksPerMicrosecond;
        const long resolution = 1_000;
        if (now - _lastEntryTime < resolution && now >= _lastEntryTime)
        {
            return;
        }

        Span<byte> entry = stackalloc byte[LogSegment.IndexEntryLength];
        LogSegment.WriteEntry(entry, _segment.Length, now);
        RandomAccess.Write(_index, entry, _indexLength);
        _indexLength += LogSegment.IndexEntryLength;
        _lastEntryTime = now;
    }

    private void Rotate()
    {
        LogSegment next = _log.Rotate(
            _segment, out SafeFileHandle file, out SafeFileHandle index);
        _file.Dispose();
        _index.Dispose();
        _segment = next;
        _file = file;
        _index = index;
        _indexLength = 0;
        _lastEntryTime = -1;
    }

    /// <summary>
    /// What a file system may answer. Let through, it would come again with each wake-up.
    /// </summary>
    private static bool IsTrouble(Exception e) =>
        e is IOException or UnauthorizedAccessException or ObjectDisposedException;

    private bool EndsWithLine()
    {
        Span<byte> last = stackalloc byte[1];
        return _segment.Length == 0
            || (RandomAccess.Read(_file, last, _segment.Length - 1) == 1 && last[0] == '\n');
    }

    /// <summary>
    /// Bytes up to and including the first line end in the FIFO; all of them without one.
    /// </summary>
    private int FindLineEnd(int waiting)
    {
        ReadOnlySpan<byte> copy = _scratch.Peek(_fifo, Math.Min(waiting, PeekLength));
        int end = copy.IndexOf((byte)'\n');
        return end >= 0 ? end + 1 : Math.Max(copy.Length, 1);
    }

    private static long RoundDown(long length) => length - (length % LogSegment.IndexEntryLength);

    /// <summary>Room for peeking and copying, one for all writers of a thread.</summary>
    internal sealed class Scratch : IDisposable
    {
        private readonly SafeFileHandle _reader;
        private readonly SafeFileHandle _writer;

        public Scratch()
        {
            SyscallResult created = Fifo.TryCreatePipe(
                out SafeFileHandle? reader, out SafeFileHandle? writer);
            if (!created.IsSuccess)
            {
                throw new IOException($"pipe: {ProcessErrno.Describe(created.Errno)}");
            }

            _reader = reader!;
            _writer = writer!;
        }

        public byte[] Buffer { get; } = new byte[PeekLength];

        public ReadOnlySpan<byte> Peek(SafeFileHandle fifo, int length)
        {
            SyscallResult copied = Fifo.Peek(fifo, _writer, length);
            if (!copied.IsSuccess)
            {
                return [];
            }

            int total = 0;
            while (total < copied.IntValue)
            {
                SyscallResult got = Fifo.Read(_reader, Buffer.AsSpan(total));
                if (!got.IsSuccess || got.Value == 0)
                {
                    break;
                }

                total += got.IntValue;
            }

            return Buffer.AsSpan(0, total);
        }

        public void Dispose()
        {
            _reader.Dispose();
            _writer.Dispose();
        }
    }
}
