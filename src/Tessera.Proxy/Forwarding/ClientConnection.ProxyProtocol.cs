using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Forwarding;

/// <summary>Connections that begin with the head of a proxy before this one.</summary>
internal sealed partial class ClientConnection
{
    /// <summary>What a proxy before this one says of the client; null when nothing.</summary>
    public ProxyProtocolHead? ProxyHead { get; private set; }

    /// <summary>Of <see cref="ProxyHead"/>, before the client's first byte.</summary>
    public int ProxyHeadBytes => ProxyHead?.Length ?? 0;

    /// <summary>
    /// Before the first request of an HTTP connection. False when it is to be closed, as with nginx
    /// without an answer.
    /// </summary>
    private async ReactorTask<bool> TakeProxyHeadAsync()
    {
        _isIdle = true;
        int timeoutMs = Rules?.HeadTimeoutMs ?? Options.HeadTimeoutMs;
        int status = await ReceiveProxyHeadAsync(timeoutMs);
        _isIdle = false;
        if (status != 0)
        {
            if (!Received.IsEmpty && _shard.ErrorLog.IsNginx)
            {
                _shard.ErrorLog.Write(ErrorLevel.Error,
                    $"*{Serial} {BrokenHeadText()}, client: {Peer.ToIPAddress()}, "
                    + $"server: {Listener.Address}");
            }

            return false;
        }

        // A connection that is idle after this owns no buffer.
        if (_start == _end)
        {
            Reactor.Buffers.Return(_buffer);
            _buffer = [];
            _start = 0;
            _end = 0;
        }

        return true;
    }

    /// <summary>
    /// 0 when the head is there and taken off; 400 when what came is none, 200 when nothing came.
    /// </summary>
    private async ReactorTask<int> ReceiveProxyHeadAsync(int timeoutMs)
    {
        long deadlineMs = Reactor.NowMs + timeoutMs;
        while (true)
        {
            if (!Received.IsEmpty)
            {
                ProxyHeadStatus status = ProxyProtocolHead.Parse(
                    Received, out ProxyProtocolHead? head);
                if (status == ProxyHeadStatus.Complete)
                {
                    ProxyHead = head;
                    _start += head!.Length;
                    return 0;
                }

                if (status == ProxyHeadStatus.Invalid
                    || Received.Length >= ProxyProtocolHead.MaxBytes)
                {
                    return HttpStatus.BadRequest;
                }
            }

            long leftMs = deadlineMs - Reactor.NowMs;
            SyscallResult received = leftMs <= 0
                ? SyscallResult.Failure(Errno.TimedOut)
                : await ReceiveFirstAsync((int)leftMs);
            if (!received.IsSuccess || received.Value == 0)
            {
                return received.IsSuccess ? HttpStatus.BadRequest : HttpStatus.Ok;
            }
        }
    }

    private void TellBrokenHead(Exchange exchange) => TellNginx(
        exchange, ErrorLevel.Error, this, static (client, _) => client.BrokenHeadText());

    /// <summary>In the words of ngx_proxy_protocol_read.</summary>
    private string BrokenHeadText()
    {
        ReadOnlySpan<byte> line = Received;
        int end = line.IndexOfAny((byte)'\r', (byte)'\n');
        string head = LogEscape.ToText(end < 0 ? line : line[..end]);
        return $"broken header: \"{head}\" while reading PROXY protocol";
    }
}
