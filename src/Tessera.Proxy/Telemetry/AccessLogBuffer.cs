using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// Lines of one reactor for one file, handed to the writer when the buffer is full or its first
/// line is a second old. Owned by that reactor, which never touches the file.
/// </summary>
internal sealed class AccessLogBuffer : TimerEntry
{
    private const int FlushAfterMs = 1_000;

    private readonly AccessLog _log;
    private readonly Reactor _reactor;
    private readonly AccessLogWriter _writer;
    private byte[] _buffer = [];
    private int _length;
    private int _lines;

    public AccessLogBuffer(AccessLog log, Reactor reactor, AccessLogWriter writer)
    {
        _log = log;
        _reactor = reactor;
        _writer = writer;
    }

    public void Write(Exchange exchange, ReactorClock clock, long nowMs)
    {
        AccessLogFormat format = _log.Format;
        if (!format.Includes(exchange))
        {
            return;
        }

        int written = format.Write(exchange, clock, nowMs, _buffer.AsSpan(_length));
        if (written == 0)
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

        if (_length == 0)
        {
            _reactor.Timers.Arm(this, nowMs + FlushAfterMs);
        }

        _length += written;
        _lines++;
    }

    /// <summary>Hands over what there is.</summary>
    public void Flush()
    {
        if (_length > 0)
        {
            _writer.Enqueue(new LogChunk(_log.Path, _buffer, _length, _lines));
            _buffer = [];
            _length = 0;
            _lines = 0;
        }

        TimerWheel.Disarm(this);
    }

    protected internal override void Expire() => Flush();
}
