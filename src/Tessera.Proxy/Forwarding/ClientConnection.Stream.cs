using System.Text;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Access;
using Tessera.Proxy.Flow;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Resolving;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Connections that are no HTTP, by the rules of nginx's stream: each goes through the same steps
/// once, and has a status at its end.
/// </summary>
internal sealed partial class ClientConnection
{
    /// <summary>Longer names of backends are none.</summary>
    private const int MaxPassBytes = 1_024;

    /// <summary>The whole life of a connection.</summary>
    private async ReactorTask<bool> ServeStreamAsync(Route route, StreamRule rule)
    {
        Exchange exchange = BeginExchange();
        exchange.NeedsNewConnection = true;
        Datagrams?.Begin(exchange);
        exchange.Follow(route);
        if (_shard.ErrorLog.Takes(exchange, ErrorLevel.Information))
        {
            _shard.ErrorLog.TellBare(
                exchange, ErrorLevel.Information,
                $"{LogPrefix}client {Peer} connected to {Listener.Address}");
        }

        // (1) Who is it, and may it?
        int status = rule.Config.ExpectsProxyProtocol
            ? await ReceiveProxyHeadAsync(rule.Config.ProxyProtocolTimeoutMs)
            : 0;
        if (status == HttpStatus.BadRequest && !Received.IsEmpty)
        {
            TellBrokenHead(exchange);
        }

        if (status == 0)
        {
            if (ProxyHead?.Source is { } source && rule.Trusted?.Find(Peer) == true)
            {
                exchange.NotePeer(source);
            }

            foreach ((OwnVariable variable, Template value) in rule.Assignments)
            {
                Assign(exchange, variable, value);
            }

            status = AdmitStream(exchange, route);
        }

        // (2) What does it say of itself?
        if (status == 0 && rule.Config.ReadsClientHello && Datagrams is null)
        {
            status = await PrereadAsync(exchange, rule.Config);
        }

        // (3) A text, or a backend.
        if (status == 0)
        {
            status = rule.Reply is not null
                ? await ReplyToStreamAsync(exchange, rule)
                : await PassOnAsync(exchange, rule);
        }

        _shard.Counters.CountTunnel();
        exchange.Status = status;
        exchange.BodyBytesSent = exchange.BytesSent;
        EndExchange(exchange);
        return false;
    }

    private static void Assign(Exchange exchange, OwnVariable variable, Template value)
    {
        using var text = EvaluatedText.Of(value, exchange);
        exchange.SetOwn(variable, text.Text);
    }

    private async ReactorTask<int> PassOnAsync(Exchange exchange, StreamRule rule)
    {
        if (await FindBackendAsync(exchange, rule) is not { } backend)
        {
            return HttpStatus.InternalServerError;
        }

        exchange.Backend = backend;
        return Datagrams is null
            ? await _shard.Forwarder.RelayStreamAsync(exchange, rule)
            : await _shard.Forwarder.RelayDatagramsAsync(exchange, rule, Datagrams);
    }

    /// <summary>0 when nothing forbids it.</summary>
    private int AdmitStream(Exchange exchange, Route route)
    {
        bool isAsked = false;
        ConnectionRule? crowded = route.Flow?.TryEnter(exchange, out isAsked);
        exchange.CrowdOutcome = OutcomeOf(crowded, isAsked);
        if (crowded is not null)
        {
            exchange.Counters.Add(Flow.LimitKind.ConnectionsRefused);
            TellCrowded(exchange, crowded);
            _shard.ErrorLog.WriteLimit(crowded.LogLevel, exchange, $"503, {crowded.Reason}");
            if (!crowded.IsDryRun)
            {
                return crowded.Status;
            }
        }

        if (route.Gate is { } gate && gate.Check(exchange) != GateVerdict.Pass)
        {
            exchange.Counters.Add(Flow.LimitKind.AddressDenied);
            TellNginx(exchange, ErrorLevel.Error, 0, static (_, _) =>
                "access forbidden by rule while initializing session");
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
                TellNginx(exchange, ErrorLevel.Error, 0, static (_, _) =>
                    "preread buffer full while prereading client data");
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
        if (Datagrams is not null)
        {
            ReplyToPeer(buffer.AsSpan(0, length));
        }
        else if (length > 0)
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

    /// <summary>Null when a text with variables came to nothing that is known.</summary>
    private async ReactorTask<Backend?> FindBackendAsync(Exchange exchange, StreamRule rule)
    {
        if (rule.Pass is null)
        {
            return exchange.Backend;
        }

        // (1) A backend of the configuration, or an address.
        Backend? backend = FindBackend(exchange, rule, out string name);
        int code = ResolveCode.None;

        // (2) A name has to be asked for.
        if (backend is null && name.Length > 0 && rule.Config.Resolver is { } resolver)
        {
            (backend, code) = await _shard.Targets.ResolveAsync(name, resolver, exchange.Wait);
        }

        if (backend is null)
        {
            TellUnknown(exchange, name, code);
        }

        return backend;
    }

    /// <param name="code">0 where nobody could be asked.</param>
    private void TellUnknown(Exchange exchange, string name, int code)
    {
        if (_shard.ErrorLog.IsNginx)
        {
            string host = name[..Math.Max(0, name.LastIndexOf(':'))];
            _shard.ErrorLog.Tell(exchange, ErrorLevel.Error,
                name.Length == 0 ? "no port in upstream"
                : code == ResolveCode.None ? $"no resolver defined to resolve {host}"
                : $"{host} could not be resolved {ResolveCode.Describe(code)}");
        }
        else
        {
            _shard.ErrorLog.Write($"no backend is called \"{name}\"");
        }
    }

    /// <param name="name">Empty when it is neither a backend's nor one with a port.</param>
    private Backend? FindBackend(Exchange exchange, StreamRule rule, out string name)
    {
        name = "";
        Span<byte> buffer = stackalloc byte[MaxPassBytes];
        var text = new ByteWriter(buffer);
        rule.Pass!.Write(ref text, exchange);
        if (text.HasOverflowed)
        {
            return null;
        }

        if (rule.Find(text.Written) is { } backend)
        {
            return backend;
        }

        // A port has no default here.
        bool hasPort = text.Written.LastIndexOf((byte)':') > text.Written.LastIndexOf((byte)']');
        name = hasPort ? Encoding.Latin1.GetString(text.Written) : "";
        return hasPort ? _shard.Targets.TryFind(name, rule.Config.Resolver) : null;
    }
}
