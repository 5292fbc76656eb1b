using System.Text;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Access;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Connections that are no HTTP, by the rules of nginx's stream: each goes through the same steps
/// once, and has a status at its end.
/// </summary>
internal sealed partial class ClientConnection
{
    /// <summary>Longer names of backends are none.</summary>
    private const int MaxPassBytes = 1_024;

    /// <summary>Of a PROXY protocol head that came before the client's first byte.</summary>
    public int ProxyHeadBytes { get; private set; }

    /// <summary>The whole life of a connection.</summary>
    private async ReactorTask<bool> ServeStreamAsync(Route route, StreamRule rule)
    {
        Exchange exchange = BeginExchange();
        exchange.NeedsNewConnection = true;
        exchange.Follow(route);

        // (1) May it?
        int status = AdmitStream(exchange, route);

        // (2) What does it say of itself?
        if (status == 0 && rule.Config.ReadsClientHello)
        {
            status = await PrereadAsync(exchange, rule.Config);
        }

        // (3) A text, or a backend.
        if (status == 0)
        {
            status = rule.Reply is not null
                ? await ReplyToStreamAsync(exchange, rule)
                : TryFindBackend(exchange, rule)
                    ? await _shard.Forwarder.RelayStreamAsync(exchange, rule)
                    : HttpStatus.InternalServerError;
        }

        _shard.Counters.CountTunnel();
        exchange.Status = status;
        exchange.BodyBytesSent = exchange.BytesSent;
        EndExchange(exchange);
        return false;
    }

    /// <summary>0 when nothing forbids it.</summary>
    private int AdmitStream(Exchange exchange, Route route)
    {
        if (route.Flow?.TryEnter(exchange) is { } crowded)
        {
            exchange.Counters.Add(Flow.LimitKind.ConnectionsRefused);
            _shard.ErrorLog.WriteLimit(crowded.LogLevel, exchange, $"503, {crowded.Reason}");
            return crowded.Status;
        }

        if (route.Gate is { } gate && gate.Check(exchange) != GateVerdict.Pass)
        {
            exchange.Counters.Add(Flow.LimitKind.AddressDenied);
            _shard.ErrorLog.WriteLimit(
                ErrorLevel.Error, exchange, $"403, access is forbidden by a rule");
            return HttpStatus.Forbidden;
        }

        return 0;
    }

    /// <summary>
    /// Reads until the client's first message is there, or is none that is known. 0 when the
    /// connection goes on.
    /// </summary>
    private async ReactorTask<int> PrereadAsync(Exchange exchange, StreamConfig config)
    {
        long deadlineMs = Reactor.NowMs + config.PrereadTimeoutMs;
        int limit = Math.Min(config.PrereadBytes, Options.MaxHeadBytes);
        while (true)
        {
            ReadOnlySpan<byte> first = Received[..Math.Min(Received.Length, limit)];
            if (!first.IsEmpty && exchange.Hello.Parse(first) != ClientHelloStatus.Incomplete)
            {
                return 0;
            }

            if (Received.Length >= limit)
            {
                return HttpStatus.BadRequest;
            }

            long leftMs = deadlineMs - Reactor.NowMs;
            SyscallResult received = leftMs <= 0
                ? SyscallResult.Failure(Errno.TimedOut)
                : await ReceiveFirstAsync((int)leftMs);
            if (!received.IsSuccess || received.Value == 0)
            {
                return HttpStatus.Ok;
            }
        }
    }

    private async ReactorTask<int> ReplyToStreamAsync(Exchange exchange, StreamRule rule)
    {
        byte[] buffer = Reactor.Buffers.Rent(MaxReplyBytes);
        int length = WriteStreamReply(exchange, rule, buffer);
        if (length > 0)
        {
            await Transport.SendAsync(buffer, 0, length, Options.SendTimeoutMs);
        }

        Reactor.Buffers.Return(buffer);
        return HttpStatus.Ok;
    }

    private static int WriteStreamReply(Exchange exchange, StreamRule rule, byte[] buffer)
    {
        var writer = new ByteWriter(buffer.AsSpan(0, MaxReplyBytes));
        rule.Reply!.Write(ref writer, exchange);
        return writer.Length;
    }

    /// <summary>False when a text with variables came to nothing that is known.</summary>
    private bool TryFindBackend(Exchange exchange, StreamRule rule)
    {
        if (rule.Pass is null)
        {
            return exchange.Backend is not null;
        }

        Span<byte> buffer = stackalloc byte[MaxPassBytes];
        var name = new ByteWriter(buffer);
        rule.Pass.Write(ref name, exchange);
        Backend? backend = name.HasOverflowed
            ? null
            : rule.Find(name.Written) ?? _shard.LiteralBackends.Find(name.Written);
        if (backend is not null)
        {
            exchange.GoTo(backend);
            return true;
        }

        _shard.ErrorLog.Write(
            $"no backend is called \"{Encoding.Latin1.GetString(name.Written)}\"");
        return false;
    }
}
