using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Answers;

/// <summary>
/// A head in the order in which nginx writes it (ngx_http_header_filter): status line, Server,
/// Date, what describes the body, Location, what concerns the connection, then the rest. Lives on
/// the stack.
/// </summary>
internal ref struct AnswerHead
{
    public AnswerHead(int status) => Status = status;

    public int Status { get; }

    /// <summary>Without charset; empty for a body without type.</summary>
    public ReadOnlySpan<byte> Type { get; init; }

    /// <summary>Of the body; -1 when it is not known.</summary>
    public long Length { get; init; } = -1;

    /// <summary>A date; empty says nothing.</summary>
    public ReadOnlySpan<byte> LastModified { get; init; }

    /// <summary>The body goes in chunks (RFC 9112 section 7.1).</summary>
    public bool IsChunked { get; init; }

    /// <summary>Others may get it in another coding: Vary is Accept-Encoding.</summary>
    public bool Varies { get; init; }

    /// <summary>
    /// Whole lines that stand before those that the route adds, as that of ETag.
    /// </summary>
    public ReadOnlySpan<byte> LeadingLines { get; init; }

    /// <summary>Whole lines at the end, as that of Accept-Ranges.</summary>
    public ReadOnlySpan<byte> TrailingLines { get; init; }

    /// <summary>Writes all of it, with the empty line; HTTP/0.9 has no heads.</summary>
    public static void Write(
        ref ByteWriter writer,
        scoped AnswerHead head,
        AnswerStyle style,
        Exchange exchange,
        ConnectionOption option,
        ReactorClock clock)
    {
        if (exchange.Request.IsSimple)
        {
            return;
        }

        StatusLine.Write(ref writer, head.Status);
        writer.Write(style.ServerLine);
        writer.Write("Date: "u8);
        writer.Write(clock.HttpDate);
        writer.Write("\r\n"u8);

        // 204 and 304 say nothing of a body, which they have not (RFC 9110 section 8.6).
        bool isBare = head.Status is 204 or 304 or < 200;
        if (!isBare && !head.Type.IsEmpty)
        {
            writer.Write("Content-Type: "u8);
            style.WriteType(ref writer, head.Type, exchange);
            writer.Write("\r\n"u8);
        }

        if (!isBare && head.Length >= 0)
        {
            writer.Write("Content-Length: "u8);
            writer.WriteNumber(head.Length);
            writer.Write("\r\n"u8);
        }

        // A page that stands for an error has no date (ngx_http_header_filter).
        if (head.Status is 200 or 206 or 304
            && !head.LastModified.IsEmpty && !exchange.ReplacesLastModified)
        {
            writer.Write("Last-Modified: "u8);
            writer.Write(head.LastModified);
            writer.Write("\r\n"u8);
        }

        exchange.WriteLocation(ref writer, style, isEarly: true);
        if (head.IsChunked && !isBare)
        {
            writer.Write("Transfer-Encoding: chunked\r\n"u8);
        }

        WriteConnection(ref writer, exchange, option);
        if (head.Varies)
        {
            writer.Write("Vary: Accept-Encoding\r\n"u8);
        }

        writer.Write(exchange.AddedFields[..exchange.CarriedBytes]);
        exchange.WriteLocation(ref writer, style, isEarly: false);
        writer.Write(head.LeadingLines);
        writer.Write(exchange.AddedFields[exchange.CarriedBytes..]);
        writer.Write(head.TrailingLines);
        writer.Write("\r\n"u8);
    }

    /// <summary>nginx always says what becomes of the connection.</summary>
    public static void WriteConnection(
        ref ByteWriter writer, Exchange exchange, ConnectionOption option)
    {
        if (option == ConnectionOption.Upgrade)
        {
            writer.Write("Connection: upgrade\r\n"u8);
            return;
        }

        if (option == ConnectionOption.Close)
        {
            writer.Write("Connection: close\r\n"u8);
            return;
        }

        writer.Write("Connection: keep-alive\r\n"u8);
        if (exchange.ClientRules is { ToldIdleSeconds: > 0 } rules)
        {
            writer.Write("Keep-Alive: timeout="u8);
            writer.WriteNumber(rules.ToldIdleSeconds);
            writer.Write("\r\n"u8);
        }
    }
}
