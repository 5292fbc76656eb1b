using System.Text;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;
using Tessera.Proxy.Transports;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Answers that their clients take more slowly than their endpoints give them: nginx's
/// proxy_buffering. The rest of such an answer goes into a spool, so that the endpoint is free
/// again.
/// </summary>
internal sealed partial class Forwarder
{
    /// <summary>A client that takes nothing for so long is slow.</summary>
    private const int SlowClientMs = 100;

    /// <summary>Whether this answer may be spooled, by what its head says.</summary>
    private static void DecideSpooling(Exchange exchange, PassRule rule)
    {
        bool isPossible = rule.Config.TemporaryFolder is not null && !exchange.Pacer.IsLimited;
        exchange.MaySpool = isPossible && rule.Config.BuffersReply;
        if (isPossible && !rule.Ignores("X-Accel-Buffering"))
        {
            ReadOnlySpan<byte> asked = FieldText.Find(
                exchange.Reply.AsSpan(exchange.ReplyStart, exchange.Response.Length),
                "x_accel_buffering"u8);
            exchange.MaySpool = Ascii.EqualsIgnoreCase(asked, "yes"u8)
                || (exchange.MaySpool && !Ascii.EqualsIgnoreCase(asked, "no"u8));
        }
    }

    private int SendTimeoutOf(Exchange exchange) => exchange.MaySpool
        ? Math.Min(SlowClientMs, exchange.SendTimeoutMs)
        : exchange.SendTimeoutMs;

    /// <summary>
    /// Sends a piece of the body, or puts it behind what has not left yet. What was sent is
    /// counted.
    /// </summary>
    private async ReactorTask<SyscallResult> SendPieceAsync(
        Exchange exchange, byte[] buffer, int start, int length)
    {
        Transport client = exchange.Client.Transport;
        int taken = 0;
        if (exchange.Spool is not { IsEmpty: false })
        {
            SyscallResult sent = await client.SendAsync(
                buffer, start, length, SendTimeoutOf(exchange));
            taken = client.Sent;
            exchange.BodyBytesSent += taken;
            if (sent.IsSuccess || sent.Errno != Errno.TimedOut || !exchange.MaySpool)
            {
                return sent;
            }
        }

        return TrySpool(exchange, buffer.AsSpan(start + taken, length - taken))
            ? SyscallResult.Success(length)
            : SyscallResult.Failure(Errno.TimedOut);
    }

    private bool TrySpool(Exchange exchange, ReadOnlySpan<byte> bytes)
    {
        ProxyPassConfig config = exchange.Route!.Pass!.Config;
        exchange.Spool ??= new ReplySpool(
            _reactor.Buffers, config.TemporaryFolder!, config.MaxTemporaryBytes);
        bool hadFile = !exchange.Spool.FilePath.IsEmpty;
        bool isTaken = exchange.Spool.TryAppend(bytes);
        if (!hadFile && !exchange.Spool.FilePath.IsEmpty
            && _shard.ErrorLog.Takes(exchange, ErrorLevel.Warning))
        {
            string path = LogEscape.ToText(exchange.Spool.FilePath);
            _shard.ErrorLog.Tell(
                exchange,
                ErrorLevel.Warning,
                $"an upstream response is buffered to a temporary file {path} "
                    + "while reading upstream");
        }

        return isTaken;
    }

    /// <summary>
    /// Before more is received: lets leave what is spooled, until the endpoint has something, or
    /// all of it when there is no place for more.
    /// </summary>
    private async ReactorTask<ProxyError> MakeWayAsync(Exchange exchange)
    {
        ReplySpool spool = exchange.Spool!;
        Transport client = exchange.Client.Transport;
        Transport upstream = exchange.Upstream!.Transport;
        for (int burst = 1; !spool.IsEmpty; burst++)
        {
            bool isFull = spool.IsFull;
            if (!isFull && upstream.HasInput())
            {
                return ProxyError.None;
            }

            byte[] buffer = spool.Peek(out int start, out int length);
            if (length == 0)
            {
                return SpoolFailed();
            }

            if (!isFull)
            {
                upstream.Handle.Watch(IoWatch.Readable, client.Handle.Write);
            }

            SyscallResult sent = await client.SendAsync(
                buffer, start, length, exchange.SendTimeoutMs);
            upstream.Handle.Unwatch();
            spool.NoteSent(client.Sent);
            exchange.BodyBytesSent += client.Sent;
            if (!sent.IsSuccess && sent.Errno != Errno.Canceled)
            {
                return ClientSendFailed(sent);
            }

            if (burst % RelayBurst == 0)
            {
                await _reactor.Yield(client.Handle.Write);
            }
        }

        return ProxyError.None;
    }

    /// <summary>The endpoint is done: what is left of its answer goes to the client.</summary>
    /// <param name="error">How the try has ended, which stays as it is.</param>
    private async ReactorTask<ProxyError> SendSpoolAsync(Exchange exchange, ProxyError error)
    {
        ReplySpool spool = exchange.Spool!;
        Transport client = exchange.Client.Transport;
        for (int burst = 1; !spool.IsEmpty && error.Source != ProxyErrorSource.Client; burst++)
        {
            byte[] buffer = spool.Peek(out int start, out int length);
            if (length == 0)
            {
                return SpoolFailed();
            }

            SyscallResult sent = await client.SendAsync(
                buffer, start, length, exchange.SendTimeoutMs);
            spool.NoteSent(client.Sent);
            exchange.BodyBytesSent += client.Sent;
            if (!sent.IsSuccess)
            {
                return ClientSendFailed(sent);
            }

            if (burst % RelayBurst == 0)
            {
                await _reactor.Yield(client.Handle.Write);
            }
        }

        spool.Close();
        return error;
    }

    private static ProxyError SpoolFailed() =>
        ProxyError.Of(ProxyErrorKind.FileChanged, ProxyErrorSource.Proxy);
}
