using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>How a session ended.</summary>
internal enum DatagramEnd : byte
{
    /// <summary>
    /// Everything that was expected has come, or nothing was and the time is over.
    /// </summary>
    Done,

    /// <summary>The endpoint has not sent as much as was expected.</summary>
    TimedOut,

    /// <summary>The endpoint's address refuses datagrams.</summary>
    Failed,
}

/// <summary>
/// The datagrams of one peer and of the endpoint that serves it, by the rules of nginx's stream
/// proxy: how many requests make a session, how many responses each has. Owned by one reactor.
/// </summary>
internal sealed class DatagramSession
{
    /// <summary>Datagrams that wait for an endpoint to be found; more are lost.</summary>
    private const int MaxWaiting = 32;

    private readonly Reactor _reactor;
    private readonly DatagramSocket _socket;
    private readonly DatagramPeer _peer;
    private readonly StreamConfig _config;
    private readonly Queue<byte[]> _waiting = new();
    private readonly long _startMs;
    private Exchange _exchange = null!;
    private Transport? _upstream;
    private long _lastActivityMs;
    private long _uploadRate;
    private long _downloadRate;
    private long _uploaded;
    private long _downloaded;
    private bool _isBound = true;
    private bool _isAborted;

    public DatagramSession(
        Reactor reactor, DatagramSocket socket, in DatagramPeer peer, StreamRule rule)
    {
        _reactor = reactor;
        _socket = socket;
        _peer = peer;
        _config = rule.Config;
        _startMs = reactor.NowMs;
        _lastActivityMs = reactor.NowMs;
    }

    public DatagramPeer Peer => _peer;

    /// <summary>Datagrams that went to the endpoint.</summary>
    public int Requests { get; private set; }

    /// <summary>Datagrams that came from it.</summary>
    public int Responses { get; private set; }

    /// <summary>Why the endpoint's address refuses datagrams; 0 unless it does.</summary>
    public int Errno { get; private set; }

    /// <summary>Enough has come in both directions (ngx_stream_proxy_test_finalize).</summary>
    private bool IsFinished =>
        (_config.DatagramRequests == 0 || Requests >= _config.DatagramRequests)
        && HasAllResponses;

    private bool HasAllResponses => _config.DatagramResponses is { } each
        && Responses >= (long)each * Requests;

    /// <summary>Of datagrams that nobody was there to pass on to.</summary>
    public long WaitingBytes
    {
        get
        {
            long bytes = 0;
            foreach (byte[] datagram in _waiting)
            {
                bytes += datagram.Length;
            }

            return bytes;
        }
    }

    /// <summary>The peer has sent one.</summary>
    public void Take(ReadOnlySpan<byte> datagram)
    {
        _lastActivityMs = _reactor.NowMs;
        if (_upstream is not null)
        {
            Pass(datagram);
        }
        else if (_waiting.Count < MaxWaiting)
        {
            _waiting.Enqueue(datagram.ToArray());
            int requests = _config.DatagramRequests;
            if (requests > 0 && _waiting.Count >= requests)
            {
                Unbind();
            }
        }
    }

    /// <summary>To the peer.</summary>
    public void Send(ReadOnlySpan<byte> datagram)
    {
        if (_socket.Send(datagram, _peer.Peer, _peer.Local).IsSuccess)
        {
            _exchange.Client.Transport.Handle.Write.Count(datagram.Length);
        }
    }

    /// <summary>What is sent belongs to this exchange.</summary>
    public void Begin(Exchange exchange) => _exchange = exchange;

    /// <summary>Passes datagrams in both directions until the session ends.</summary>
    /// <param name="uploadRate">Bytes a second from the peer; 0 sets no limit.</param>
    /// <param name="downloadRate">Bytes a second to the peer; 0 sets no limit.</param>
    public async ReactorTask<DatagramEnd> RunAsync(long uploadRate, long downloadRate)
    {
        _uploadRate = uploadRate;
        _downloadRate = downloadRate;
        _upstream = _exchange.Upstream!.Transport;
        while (_waiting.TryDequeue(out byte[]? datagram))
        {
            Pass(datagram);
        }

        while (!_isAborted && !IsFinished)
        {
            // (1) No more than the rate allows, of which a second's worth is free at any time.
            if (_downloadRate > 0)
            {
                long allowed = AllowedOf(_downloadRate) - _downloaded;
                if (allowed <= 0)
                {
                    await RestAsync(-allowed * 1_000 / _downloadRate);
                    continue;
                }
            }

            // (2) The time-out is for both directions together.
            long leftMs = _config.IdleTimeoutMs - (_reactor.NowMs - _lastActivityMs);
            if (leftMs <= 0)
            {
                return _config.DatagramResponses is null || HasAllResponses
                    ? DatagramEnd.Done
                    : DatagramEnd.TimedOut;
            }

            SyscallResult received = await _upstream.ReceiveRentedAsync(
                DatagramSocket.MaxBytes, 0, (int)leftMs);
            if (received.Errno is Linux.Net.Errno.TimedOut or Linux.Net.Errno.Canceled)
            {
                continue;
            }

            if (!received.IsSuccess)
            {
                Errno = received.Errno;
                return DatagramEnd.Failed;
            }

            // (3) One of no bytes is one as well.
            PassBack(received.IntValue);
        }

        return DatagramEnd.Done;
    }

    /// <summary>What the peer sends from now on begins another session.</summary>
    public void Unbind()
    {
        if (_isBound)
        {
            _isBound = false;
            _socket.Forget(_peer, this);
        }
    }

    /// <summary>Nothing more is waited for.</summary>
    public void Abort()
    {
        _isAborted = true;
        Unbind();
        _upstream?.Cancel();
    }

    /// <summary>The endpoint's socket is closed by its owner.</summary>
    public void End()
    {
        _upstream = null;
        _waiting.Clear();
        Unbind();
    }

    private long AllowedOf(long rate) => rate * (((_reactor.NowMs - _startMs) / 1_000) + 1);

    /// <summary>As with nginx, what exceeds the rate is lost.</summary>
    private void Pass(ReadOnlySpan<byte> datagram)
    {
        if (_uploadRate > 0 && _uploaded >= AllowedOf(_uploadRate))
        {
            return;
        }

        SyscallResult sent = Requests == 0 && _config.SendsProxyProtocol
            ? SendWithHead(datagram)
            : SocketCalls.Send(_upstream!.Handle.Descriptor, datagram);
        Requests++;
        _uploaded += datagram.Length;
        _exchange.Client.Transport.Handle.Read.Count(datagram.Length);
        if (sent.IsSuccess)
        {
            _upstream!.Handle.Write.Count(sent.Value);
        }

        if (_config.DatagramRequests > 0 && Requests >= _config.DatagramRequests)
        {
            Unbind();
        }

        if (IsFinished)
        {
            _upstream!.Cancel();
        }
    }

    /// <summary>The head and the first datagram are one.</summary>
    private SyscallResult SendWithHead(ReadOnlySpan<byte> datagram)
    {
        byte[] whole = new byte[ProxyProtocolLine.MaxBytes + datagram.Length];
        int length = ProxyProtocolLine.Write(_exchange, whole);
        datagram.CopyTo(whole.AsSpan(length));
        return SocketCalls.Send(
            _upstream!.Handle.Descriptor, whole.AsSpan(0, length + datagram.Length));
    }

    private void PassBack(int length)
    {
        byte[] buffer = length > 0 ? _upstream!.TakeReceived() : [];
        Responses++;
        _lastActivityMs = _reactor.NowMs;
        _downloaded += length;
        _exchange.NoteFirstByte(_reactor.NowMs);
        Send(buffer.AsSpan(0, length));
        _reactor.Buffers.Return(buffer);
    }

    private async ReactorTask<bool> RestAsync(long milliseconds)
    {
        int delayMs = (int)Math.Clamp(milliseconds, 1, int.MaxValue);
        await _reactor.Start(_exchange.Wait, IoKind.Wait, [], 0, 0, delayMs);
        _lastActivityMs = _reactor.NowMs;
        return true;
    }
}
