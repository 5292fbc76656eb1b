using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// Reads one log segment line by line, while it may still grow. Threading: one reader.
/// </summary>
/// <param name="end">Reads no further; null goes on with what is written later.</param>
internal sealed class LogCursor(LogSegment segment, long start, long? end) : IDisposable
{
    // What is beyond of a longer line is not shown; the line says how much that is.
    private const int MaxLine = 1024 * 1024;
    private const int FirstBuffer = 8 * 1024;
    private const int IndexEntries = 256;

    private readonly byte[] _index = new byte[IndexEntries * LogSegment.IndexEntryLength];
    private SafeFileHandle? _file;
    private SafeFileHandle? _indexFile;
    private byte[] _buffer = [];
    private int _filled;
    private int _consumed;
    private long _lineOffset = start;
    private long _readOffset = start;
    private long _indexOffset;
    private int _indexFilled;
    private int _indexConsumed;
    private long _time;
    private bool _isGone;
    private string? _head;
    private long _skipped;

    public LogSegment Segment => segment;

    /// <summary>Unix time of the current line in microseconds.</summary>
    public long Time { get; private set; }

    public string Text { get; private set; } = "";

    /// <summary>Nothing was read yet.</summary>
    public bool IsFresh { get; private set; } = true;

    /// <summary>
    /// Opens the files, so that they can be read though they be deleted meanwhile.
    /// </summary>
    public void Hold() => Open();

    /// <summary>
    /// For a fresh one: a time that none of its lines comes before; 0 when there is no line yet.
    /// </summary>
    public long ReadFirstTime()
    {
        using SafeFileHandle? index = segment.OpenForReading(index: true);
        return index is not null
            && RandomAccess.Read(index, _index.AsSpan(0, LogSegment.IndexEntryLength), 0)
                == LogSegment.IndexEntryLength
            ? LogSegment.ReadEntry(_index).Time
            : 0;
    }

    /// <summary>Everything was read, and nobody writes it at present.</summary>
    public bool IsAtEnd => _isGone || (!segment.IsOpen && _lineOffset >= segment.Length);

    /// <summary>Goes to the next line; false when there is none yet.</summary>
    /// <param name="takesPart">A last line without an end counts.</param>
    public bool MoveNext(bool takesPart)
    {
        IsFresh = false;
        if (_isGone || !Open())
        {
            return false;
        }

        while (true)
        {
            ReadOnlySpan<byte> unread = _buffer.AsSpan(_consumed, _filled - _consumed);
            int lineEnd = unread.IndexOf((byte)'\n');
            if (lineEnd >= 0)
            {
                Take(unread[..lineEnd], lineEnd + 1);
                return true;
            }

            if (_head is not null || unread.Length >= MaxLine)
            {
                Skip(unread);
            }

            if (!Fill())
            {
                unread = _buffer.AsSpan(_consumed, _filled - _consumed);
                if (takesPart && (unread.Length > 0 || _head is not null))
                {
                    Take(unread, unread.Length);
                    return true;
                }

                return false;
            }
        }
    }

    public void Dispose()
    {
        _file?.Dispose();
        _indexFile?.Dispose();
    }

    private bool Open()
    {
        if (_file is null)
        {
            _file = segment.OpenForReading(index: false);
            _indexFile = segment.OpenForReading(index: true);
            _isGone = _file is null || _indexFile is null;
        }

        return !_isGone;
    }

    private void Take(ReadOnlySpan<byte> line, int length)
    {
        Time = FindTime(_lineOffset);
        Text = _head is null ? Decode(line is [.., (byte)'\r'] ? line[..^1] : line)
            : string.Create(
                CultureInfo.InvariantCulture, $"{_head}… ({_skipped + line.Length} bytes more)");
        _consumed += length;
        _lineOffset += length + (_head is null ? 0 : MaxLine + _skipped);
        _head = null;
        _skipped = 0;
    }

    /// <summary>Of a line that is too long: keeps the beginning, counts the rest.</summary>
    private void Skip(ReadOnlySpan<byte> part)
    {
        if (_head is null)
        {
            _head = Decode(part);
        }
        else
        {
            _skipped += part.Length;
        }

        _consumed += part.Length;
    }

    private static string Decode(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text);

    private bool Fill()
    {
        long available = (end ?? segment.Length) - _readOffset;
        if (available <= 0)
        {
            return false;
        }

        if (_consumed > 0)
        {
            _buffer.AsSpan(_consumed, _filled - _consumed).CopyTo(_buffer);
            _filled -= _consumed;
            _consumed = 0;
        }

        if (_filled == _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(FirstBuffer, Math.Min(_buffer.Length * 2, MaxLine)));
        }

        int room = (int)Math.Min(_buffer.Length - _filled, available);
        int got = RandomAccess.Read(_file!, _buffer.AsSpan(_filled, room), _readOffset);
        _filled += got;
        _readOffset += got;
        return got > 0;
    }

    /// <summary>
    /// The time of the last index entry at or before an offset. Offsets only grow.
    /// </summary>
    private long FindTime(long offset)
    {
        while (true)
        {
            if (_indexConsumed == _indexFilled && !FillIndex())
            {
                return _time;
            }

            (long entryOffset, long time) = LogSegment.ReadEntry(_index.AsSpan(_indexConsumed));
            if (entryOffset > offset)
            {
                return _time == 0 ? time : _time;
            }

            _time = time;
            _indexConsumed += LogSegment.IndexEntryLength;
        }
    }

    private bool FillIndex()
    {
        int got = RandomAccess.Read(_indexFile!, _index, _indexOffset);
        got -= got % LogSegment.IndexEntryLength;
        _indexOffset += got;
        _indexFilled = got;
        _indexConsumed = 0;
        return got > 0;
    }
}
