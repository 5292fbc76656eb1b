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

    private readonly string _path;
    private readonly Reactor _reactor;
    private readonly AccessLogWriter _writer;
    private byte[] _buffer = [];
    private int _length;
    private int _lines;

    public AccessLogBuffer(string path, Reactor reactor, AccessLogWriter writer)
    {
        _path = path;
        _reactor = reactor;
        _writer = writer;
    }

    public void Write(Exchange exchange, ReactorClock clock, long nowMs)
    {
        int written = TryWrite(exchange, clock, nowMs);
        if (written == 0)
        {
            // Full, or not there yet: an empty buffer has room for any line.
            Flush();
            _buffer = _writer.RentBuffer();
            written = TryWrite(exchange, clock, nowMs);
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
            _writer.Enqueue(new LogChunk(_path, _buffer, _length, _lines));
            _buffer = [];
            _length = 0;
            _lines = 0;
        }

        TimerWheel.Disarm(this);
    }

    protected internal override void Expire() => Flush();

    private int TryWrite(Exchange exchange, ReactorClock clock, long nowMs) =>
        AccessLogFormat.Write(exchange, clock, nowMs, _buffer.AsSpan(_length));
}
