using System.Text;
using Tessera.Linux;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;
using Tessera.Proxy.Transports;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Forwarding;

/// <summary>Connections that are passed on by the rules of nginx's stream proxy.</summary>
internal sealed partial class Forwarder
{
    private const int MaxRateTextBytes = 64;

    /// <summary>
    /// Connects, to another endpoint where one fails, and relays until the end. Returns the status
    /// that logs have: 200 for whatever was connected, else 502.
    /// </summary>
    public async ReactorTask<int> RelayStreamAsync(Exchange exchange, StreamRule rule)
    {
        exchange.Backend.RetryBudget.CountRequest(_shard.Number, _reactor.NowMs);
        exchange.IsRelayed = true;
        while (true)
        {
            ProxyError error = exchange.TryPick(_reactor.NowMs);
            if (error.IsError)
            {
                if (!exchange.LastError.IsError
                    || exchange.Tried.Count < exchange.Backend.Current.Active.Length)
                {
                    WriteNoneLive(exchange, error);
                    exchange.NoteNoneLive(_reactor.NowMs, error);
                }

                return HttpStatus.BadGateway;
            }

            error = await ConnectAsync(exchange);
            bool isConnected = !error.IsError;
            if (isConnected)
            {
                NoteWell(exchange);
                if (await SendFirstAsync(exchange, rule))
                {
                    var relay = new StreamRelay(
                        _reactor,
                        exchange,
                        rule,
                        RateOf(exchange, rule.UploadRate),
                        RateOf(exchange, rule.DownloadRate));
                    await relay.RunAsync();
                    TellEnd(exchange, relay.IsEndOfClient);
                }
            }

            if (EndTry(exchange, ref error))
            {
                return isConnected ? HttpStatus.Ok : HttpStatus.BadGateway;
            }
        }
    }

    private void WriteNoneLive(Exchange exchange, ProxyError error)
    {
        if (_shard.ErrorLog.IsNginx)
        {
            _shard.ErrorLog.Tell(
                exchange, ErrorLevel.Error, "no live upstreams while connecting to upstream");
        }
        else
        {
            _shard.ErrorLog.Write(exchange, error);
        }
    }

    private void TellEnd(Exchange exchange, bool isEndOfClient)
    {
        if (_shard.ErrorLog.Takes(exchange, ErrorLevel.Information))
        {
            var text = new StringBuilder(
                isEndOfClient ? "client disconnected" : "upstream disconnected");
            NginxErrorText.AppendBytes(text, exchange);
            _shard.ErrorLog.TellBare(exchange, ErrorLevel.Information, text.ToString());
        }
    }

    /// <summary>Who the client is, and what it has sent already.</summary>
    private async ReactorTask<bool> SendFirstAsync(Exchange exchange, StreamRule rule)
    {
        Transport upstream = exchange.Upstream!.Transport;
        int timeoutMs = rule.Config.IdleTimeoutMs;
        if (rule.Config.SendsProxyProtocol)
        {
            byte[] head = _reactor.Buffers.Rent(ProxyProtocolLine.MaxBytes);
            int headLength = ProxyProtocolLine.Write(exchange, head);
            SyscallResult sentHead = await upstream.SendAsync(head, 0, headLength, timeoutMs);
            _reactor.Buffers.Return(head);
            if (!sentHead.IsSuccess)
            {
                return false;
            }
        }

        byte[] early = exchange.Client.TakeBehind(exchange, out int length);
        if (length == 0)
        {
            return true;
        }

        SyscallResult sent = await upstream.SendAsync(early, 0, length, timeoutMs);
        _reactor.Buffers.Return(early);
        return sent.IsSuccess;
    }

    /// <summary>What is no size sets no limit.</summary>
    private static long RateOf(Exchange exchange, Template? rate)
    {
        if (rate is null)
        {
            return 0;
        }

        Span<byte> buffer = stackalloc byte[MaxRateTextBytes];
        var text = new ByteWriter(buffer);
        rate.Write(ref text, exchange);
        return !text.HasOverflowed && SizeText.TryParse(text.Written, out long bytes) ? bytes : 0;
    }
}
