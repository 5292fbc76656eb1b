using Tessera.Linux;
using Tessera.Proxy.Http;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// What an endpoint says before its answer, or in place of a head of it, by nginx's rules.
/// </summary>
internal sealed partial class Forwarder
{
    private const int EarlyHints = 103;

    /// <summary>
    /// 103 goes on to who may have it (nginx's early_hints); other interim responses are dropped.
    /// </summary>
    private async ReactorTask<ProxyError> PassHintsAsync(Exchange exchange, PassRule rule)
    {
        if (exchange.Response.StatusCode != EarlyHints || exchange.Request.MinorVersion == 0
            || exchange.IsAsking || !rule.WantsHints(exchange))
        {
            return ProxyError.None;
        }

        exchange.HasPassedInterim = true;
        byte[] hints = WriteHints(exchange, rule, out int length);
        SyscallResult sent = await exchange.Client.Transport.SendAsync(
            hints, 0, length, exchange.SendTimeoutMs);
        _reactor.Buffers.Return(hints);
        return sent.IsSuccess ? ProxyError.None : ClientSendFailed(sent);
    }

    private byte[] WriteHints(Exchange exchange, PassRule rule, out int length)
    {
        // Names and values grow by no more than the space between them, and the line by its words.
        byte[] buffer = _reactor.Buffers.RentAny((exchange.Response.Length * 2) + 64);
        var writer = new ByteWriter(buffer);
        writer.Write("HTTP/1.1 103 Early Hints\r\n"u8);
        PassReplyWriter.WriteHints(
            ref writer, exchange, rule, exchange.Reply.AsSpan(exchange.ReplyStart));
        writer.Write("\r\n"u8);
        length = writer.Length;
        return buffer;
    }

    /// <summary>
    /// What does not begin like HTTP/1.x is a body without a head (ngx_http_proxy_module takes it
    /// for HTTP/0.9).
    /// </summary>
    private ParseStatus TakeAsBare(Exchange exchange, ParseStatus status)
    {
        ReadOnlySpan<byte> received =
            exchange.Reply.AsSpan(exchange.ReplyStart..exchange.ReplyEnd);
        if (exchange.IsAsking || !exchange.Response.LacksStatusLine(received))
        {
            return status;
        }

        exchange.Response.BecomeSimple();
        exchange.IsReplyBare = true;
        _shard.ErrorLog.Tell(
            exchange,
            ErrorLevel.Error,
            "upstream sent no valid HTTP/1.0 header while reading response header from upstream");
        return ParseStatus.Complete;
    }
}
