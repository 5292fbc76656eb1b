using System.Globalization;
using System.Text;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// The time of day in the texts that are needed, made once a second. Owned by one reactor.
/// </summary>
internal sealed class ReactorClock
{
    private readonly Reactor _reactor;
    private readonly TimeProvider _time;
    private long _second = -1;
    private byte[] _httpDate = [];
    private byte[] _logTime = [];
    private byte[] _iso8601 = [];
    private long _offsetMs;

    public ReactorClock(Reactor reactor, TimeProvider time)
    {
        _reactor = reactor;
        _time = time;
    }

    /// <summary>IMF-fixdate (RFC 9110 section 5.6.7).</summary>
    public ReadOnlySpan<byte> HttpDate
    {
        get
        {
            Refresh();
            return _httpDate;
        }
    }

    /// <summary>nginx's $time_local: 02/Jan/2006:15:04:05 +0000.</summary>
    public ReadOnlySpan<byte> LogTime
    {
        get
        {
            Refresh();
            return _logTime;
        }
    }

    /// <summary>nginx's $time_iso8601: 2006-01-02T15:04:05+00:00.</summary>
    public ReadOnlySpan<byte> Iso8601
    {
        get
        {
            Refresh();
            return _iso8601;
        }
    }

    /// <summary>Milliseconds since 1970 for a moment on the reactor's clock.</summary>
    public long ToUnixMs(long reactorMs)
    {
        Refresh();
        return reactorMs + _offsetMs;
    }

    private void Refresh()
    {
        long second = _reactor.NowMs / 1_000;
        if (second == _second)
        {
            return;
        }

        _second = second;
        DateTimeOffset now = _time.GetLocalNow();
        _httpDate = Encoding.ASCII.GetBytes(
            now.UtcDateTime.ToString("r", CultureInfo.InvariantCulture));
        string offset = now.ToString("zzz", CultureInfo.InvariantCulture).Remove(3, 1);
        _logTime = Encoding.ASCII.GetBytes(
            now.ToString("dd/MMM/yyyy:HH:mm:ss ", CultureInfo.InvariantCulture) + offset);
        _iso8601 = Encoding.ASCII.GetBytes(
            now.ToString("yyyy-MM-ddTHH:mm:sszzz", CultureInfo.InvariantCulture));
        _offsetMs = now.ToUnixTimeMilliseconds() - _reactor.NowMs;
    }
}
