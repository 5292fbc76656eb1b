using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Passes bytes between a client and its upstream connection by the rules of nginx's stream proxy:
/// the end of one side ends both, once what it sent has been passed on, unless the route lets each
/// direction end by itself. A silent connection owns no buffers. Owned by one reactor.
/// </summary>
internal sealed class StreamRelay
{
    private const int Burst = 16;

    private readonly Reactor _reactor;
    private readonly Exchange _exchange;
    private readonly Transport _client;
    private readonly Transport _upstream;
    private readonly StreamConfig _config;
    private readonly long _uploadRate;
    private readonly long _downloadRate;
    private readonly IoOperation? _rest;
    private readonly long _startMs;
    private long _lastActivityMs;
    private bool _hasOneEnded;
    private bool _isOver;

    /// <param name="uploadRate">Bytes a second from the client; 0 sets no limit.</param>
    /// <param name="downloadRate">Bytes a second to the client; 0 sets no limit.</param>
    public StreamRelay(
        Reactor reactor, Exchange exchange, StreamRule rule, long uploadRate, long downloadRate)
    {
        _reactor = reactor;
        _exchange = exchange;
        _client = exchange.Client.Transport;
        _upstream = exchange.Upstream!.Transport;
        _config = rule.Config;
        _uploadRate = uploadRate;
        _downloadRate = downloadRate;
        _rest = uploadRate > 0 ? new IoOperation(reactor, handle: null) : null;
        _startMs = reactor.NowMs;
        _lastActivityMs = reactor.NowMs;

        // Who reads slowly, or not for a while, may have its reasons.
        _client.Handle.SendFloor = null;
    }

    /// <summary>The client ended it, not its server or the time.</summary>
    public bool IsEndOfClient { get; private set; }

    /// <summary>
    /// Until both directions have ended; the connections are closed by their owners.
    /// </summary>
    public async ReactorTask<bool> RunAsync()
    {
        ReactorTask<bool> up = PumpAsync(_client, _upstream, _uploadRate, _rest);
        ReactorTask<bool> down = PumpAsync(_upstream, _client, _downloadRate, _exchange.Wait);
        await up;
        return await down;
    }

    /// <param name="rest">For waiting, where there is a rate.</param>
    private async ReactorTask<bool> PumpAsync(
        Transport from, Transport to, long rate, IoOperation? rest)
    {
        long passed = 0;
        for (int burst = 1; !_isOver; burst++)
        {
            if (burst % Burst == 0)
            {
                await _reactor.Yield(from.Handle.Read);
            }

            // (1) No more than the rate allows, of which a second's worth is free at any time.
            int length = _config.BufferBytes;
            if (rate > 0)
            {
                long allowed = (rate * (((_reactor.NowMs - _startMs) / 1_000) + 1)) - passed;
                if (allowed <= 0)
                {
                    await RestAsync(rest!, -allowed * 1_000 / rate);
                    continue;
                }

                length = (int)Math.Min(length, allowed);
            }

            // (2) Receive. The time-out is for both directions together.
            long silentMs = _reactor.NowMs - _lastActivityMs;
            SyscallResult received = _isOver
                ? SyscallResult.Failure(Errno.Canceled)
                : await from.ReceiveRentedAsync(
                    length, 0, (int)Math.Max(1, _config.IdleTimeoutMs - silentMs));
            if (received.Errno == Errno.TimedOut
                && _reactor.NowMs - _lastActivityMs < _config.IdleTimeoutMs)
            {
                continue;
            }

            // (3) The end of one side, whatever it is, is the end of both, or of one direction.
            if (!received.IsSuccess || received.Value == 0)
            {
                End(to, isWhole: received.IsSuccess);
                return true;
            }

            // (4) Pass it on before anything else is received.
            if (from == _upstream)
            {
                _exchange.NoteFirstByte(_reactor.NowMs);
            }

            if (!await PassAsync(from, to, received.IntValue))
            {
                End(to, isWhole: false);
                return true;
            }

            passed += received.IntValue;
            if (rate > 0)
            {
                await RestAsync(rest!, received.IntValue * 1_000L / rate);
            }
        }

        return true;
    }

    private async ReactorTask<bool> PassAsync(Transport from, Transport to, int length)
    {
        _lastActivityMs = _reactor.NowMs;
        byte[] buffer = from.TakeReceived();
        SyscallResult sent = _isOver
            ? SyscallResult.Failure(Errno.Canceled)
            : await to.SendAsync(buffer, 0, length, _config.IdleTimeoutMs);
        _reactor.Buffers.Return(buffer);
        _lastActivityMs = _reactor.NowMs;
        return sent.IsSuccess;
    }

    private async ReactorTask<bool> RestAsync(IoOperation rest, long milliseconds)
    {
        int delayMs = (int)Math.Clamp(milliseconds, 1, int.MaxValue);
        if (!_isOver)
        {
            await _reactor.Start(rest, IoKind.Wait, [], 0, 0, delayMs);
        }

        _lastActivityMs = _reactor.NowMs;
        return true;
    }

    private void End(Transport to, bool isWhole)
    {
        if (isWhole && _config.HalfCloses && !_hasOneEnded)
        {
            _hasOneEnded = true;
            to.ShutdownSend();
            return;
        }

        if (!_isOver)
        {
            IsEndOfClient = to == _upstream;
        }

        // The other direction may be between two operations, where no cancellation reaches it.
        _isOver = true;
        _client.Cancel();
        _upstream.Cancel();
        _rest?.Cancel();
        _exchange.Wait.Cancel();
    }
}
