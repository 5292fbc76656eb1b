using System.Globalization;
using Tessera.Linux;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>Datagrams that are passed on by the rules of nginx's stream proxy.</summary>
internal sealed partial class Forwarder
{
    /// <summary>
    /// Passes a peer's datagrams to one endpoint, and those of the endpoint back. Nobody learns
    /// that one is lost, so none is sent to a second endpoint. Returns the status that logs have.
    /// </summary>
    public async ReactorTask<int> RelayDatagramsAsync(
        Exchange exchange, StreamRule rule, DatagramSession session)
    {
        exchange.Backend.RetryBudget.CountRequest(_shard.Number, _reactor.NowMs);
        exchange.IsRelayed = true;
        while (true)
        {
            // (1) An endpoint, and a socket to it.
            ProxyError error = exchange.TryPick(_reactor.NowMs);
            if (error.IsError)
            {
                WriteNoneLive(exchange, error);
                exchange.NoteNoneLive(_reactor.NowMs, error);
                return HttpStatus.BadGateway;
            }

            error = OpenDatagrams(exchange, rule);
            if (error.IsError)
            {
                if (EndTry(exchange, ref error))
                {
                    return HttpStatus.BadGateway;
                }

                continue;
            }

            // (2) The session, and what its end says of the endpoint.
            DatagramEnd end = await session.RunAsync(
                RateOf(exchange, rule.UploadRate), RateOf(exchange, rule.DownloadRate));
            error = end switch
            {
                DatagramEnd.TimedOut => ProxyError.Of(
                    ProxyErrorKind.ReadTimeout, ProxyErrorSource.Upstream),
                DatagramEnd.Failed => new ProxyError(
                    ProxyErrorKind.Closed, ProxyErrorSource.Upstream, IsRetryable: false,
                    session.Errno),
                _ => ProxyError.None,
            };
            if (!error.IsError)
            {
                NoteWell(exchange);
                TellDone(exchange, session);
            }

            EndTry(exchange, ref error);
            return end == DatagramEnd.Done ? HttpStatus.Ok : HttpStatus.BadGateway;
        }
    }

    private ProxyError OpenDatagrams(Exchange exchange, StreamRule rule)
    {
        Endpoint endpoint = exchange.Endpoint!;
        SyscallResult opened = Transport.TryOpenDatagrams(
            _reactor, endpoint.Address, out Transport transport, LocalEndOf(exchange, rule));
        if (!opened.IsSuccess)
        {
            return UpstreamFailed(exchange, ProxyErrorKind.ConnectFailed, opened.Errno);
        }

        exchange.Upstream = new UpstreamConnection(
            endpoint.PoolOf(_shard.Number), transport, _reactor.NowMs);
        exchange.NoteConnected(_reactor.NowMs);
        return ProxyError.None;
    }

    private void TellDone(Exchange exchange, DatagramSession session)
    {
        if (_shard.ErrorLog.Takes(exchange, ErrorLevel.Information))
        {
            _shard.ErrorLog.Tell(exchange, ErrorLevel.Information, string.Create(
                CultureInfo.InvariantCulture,
                $"udp done, packets from/to client:{session.Requests}/{session.Responses}"));
        }
    }
}
