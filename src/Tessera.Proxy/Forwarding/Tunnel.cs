using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Passes bytes between two connections, each direction on its own, until both have ended. The end
/// of one direction is passed on and the other goes on. A silent tunnel owns no buffers. Owned by
/// one reactor.
/// </summary>
internal sealed class Tunnel
{
    private const int Burst = 16;

    /// <summary>
    /// How long the direction that is left may carry nothing once the other has ended: the peer
    /// that still has something to say is at it, or gone without a word.
    /// </summary>
    private const int HalfClosedTimeoutMs = 60_000;

    private readonly Reactor _reactor;
    private readonly Transport _client;
    private readonly Transport _upstream;
    private int _idleTimeoutMs;
    private long _lastActivityMs;

    /// <summary>
    /// One direction has failed. The other may be between two operations at that moment, where no
    /// cancellation reaches it.
    /// </summary>
    private bool _isCut;

    public Tunnel(
        Reactor reactor,
        Transport client,
        Transport upstream,
        int idleTimeoutMs)
    {
        _reactor = reactor;
        _client = client;
        _upstream = upstream;
        _idleTimeoutMs = idleTimeoutMs;
        _lastActivityMs = reactor.NowMs;

        // Who reads a tunnel slowly, or not for a while, may have its reasons.
        client.Handle.SendFloor = null;
    }

    /// <summary>Bytes passed to the client.</summary>
    public long BytesDown { get; private set; }

    /// <summary>False when it was cut: by a reset of either side, or by silence.</summary>
    public async ReactorTask<bool> RunAsync()
    {
        ReactorTask<bool> up = PumpAsync(_client, _upstream);
        ReactorTask<bool> down = PumpAsync(_upstream, _client);
        bool isUpWhole = await up;
        bool isDownWhole = await down;
        return isUpWhole && isDownWhole;
    }

    private async ReactorTask<bool> PumpAsync(Transport from, Transport to)
    {
        for (int burst = 1; ; burst++)
        {
            if (burst % Burst == 0)
            {
                await _reactor.Yield(from.Handle.Read);
            }

            if (_isCut)
            {
                return false;
            }

            long silentMs = _reactor.NowMs - _lastActivityMs;
            int leftMs = (int)Math.Max(1, _idleTimeoutMs - silentMs);
            SyscallResult received = await from.ReceiveRentedAsync(
                _reactor.Buffers.RelayLength, 0, leftMs);
            if (received.Errno == Errno.TimedOut
                && _reactor.NowMs - _lastActivityMs < _idleTimeoutMs)
            {
                continue;
            }

            if (received is { IsSuccess: true, Value: 0 })
            {
                to.ShutdownSend();
                LimitSilence(to.Handle.Read);
                return true;
            }

            if (!received.IsSuccess || !await PassAsync(from, to, received.IntValue))
            {
                // The other direction ends too; how both connections are closed is the owner's.
                _isCut = true;
                _client.Cancel();
                _upstream.Cancel();
                return false;
            }
        }
    }

    /// <summary>A wait that the other direction is in began under the longer limit.</summary>
    private void LimitSilence(IoOperation other)
    {
        _lastActivityMs = _reactor.NowMs;
        _idleTimeoutMs = Math.Min(_idleTimeoutMs, HalfClosedTimeoutMs);
        if (other.IsPending)
        {
            other.ExpireAfter(_idleTimeoutMs);
        }
    }

    private async ReactorTask<bool> PassAsync(Transport from, Transport to, int length)
    {
        _lastActivityMs = _reactor.NowMs;
        byte[] buffer = from.TakeReceived();
        SyscallResult sent = await to.SendAsync(buffer, 0, length, _idleTimeoutMs);
        _reactor.Buffers.Return(buffer);
        _lastActivityMs = _reactor.NowMs;
        BytesDown += to == _client ? to.Sent : 0;
        return sent.IsSuccess;
    }
}
