using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// Lines of one reactor for one log, handed to the writer when the buffer is full, when its first
/// line is old enough, or at the end of the reactor's turn. Owned by that reactor, which never
/// touches the file.
/// </summary>
internal sealed class AccessLogBuffer : TimerEntry
{
    /// <summary>Longest path, where it is made of variables.</summary>
    private const int MaxPathBytes = 4_096;

    private readonly AccessLog _log;
    private readonly Reactor _reactor;
    private readonly LogWriter _writer;
    private readonly Action _flush;
    private readonly int _bufferBytes;
    private readonly int _flushMs;
    private readonly bool _isLineByLine;
    private byte[] _buffer = [];
    private int _length;
    private int _lines;

    public AccessLogBuffer(AccessLog log, Reactor reactor, LogWriter writer)
    {
        _log = log;
        _reactor = reactor;
        _writer = writer;
        _flush = Flush;
        AccessLogConfig config = log.Config;
        _bufferBytes = Math.Clamp(config.BufferBytes, 1, AccessLogFormat.MaxLineBytes);
        _flushMs = config.FlushMs;
        _isLineByLine = config.Syslog is not null || config.HasVariablePath;
    }

    public void Write(Exchange exchange, ReactorClock clock, long nowMs)
    {
        AccessLogFormat format = _log.Format;
        if (!format.Includes(exchange))
        {
            return;
        }

        int written = format.Write(exchange, clock, nowMs, _buffer.AsSpan(_length));
        if (written == 0 || (_length > 0 && _length + written > _bufferBytes))
        {
            // Full, or not there yet: an empty buffer has room for any line but an absurd one.
            Flush();
            _buffer = _buffer.Length == 0 ? _writer.RentBuffer() : _buffer;
            written = format.Write(exchange, clock, nowMs, _buffer);
            if (written == 0)
            {
                _writer.CountDropped(1);
                return;
            }
        }

        bool isFirst = _length == 0;
        _length += written;
        _lines++;
        if (_isLineByLine)
        {
            HandOver(TargetOf(exchange, format));
        }
        else if (isFirst && (_flushMs == 0 || _log.IsRetired))
        {
            _reactor.PostToTurnsEnd(_flush);
        }
        else if (isFirst && _flushMs < int.MaxValue)
        {
            _reactor.Timers.Arm(this, nowMs + _flushMs);
        }
    }

    /// <summary>Hands over what there is.</summary>
    public void Flush()
    {
        if (_length > 0)
        {
            HandOver(_log.Target);
        }

        TimerWheel.Disarm(this);
    }

    protected internal override void Expire() => Flush();

    private void HandOver(LogTarget target)
    {
        _writer.Enqueue(new LogChunk(target, _buffer, _length, _lines));
        _buffer = [];
        _length = 0;
        _lines = 0;
    }

    /// <summary>A path that has variables is another one for each line.</summary>
    private LogTarget TargetOf(Exchange exchange, AccessLogFormat format)
    {
        if (format.Path is not { } template)
        {
            return _log.Target;
        }

        var path = new ByteWriter(stackalloc byte[MaxPathBytes]);
        template.Write(ref path, exchange);
        string text = Encoding.UTF8.GetString(path.Written);
        return _log.Target with { Path = text, IsKeptOpen = false };
    }
}
