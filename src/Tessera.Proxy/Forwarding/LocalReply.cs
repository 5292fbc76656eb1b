using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// The head of an answer that the proxy gives by itself. Stateless.
/// </summary>
internal static class LocalReply
{
    /// <summary>
    /// Writes status line and fields up to the empty line. <paramref name="fields"/> and
    /// <paramref name="addedFields"/> are whole lines, each with its CRLF.
    /// </summary>
    /// <param name="contentLength">-1 for an answer that has none (RFC 9110 section 8.6).</param>
    public static void WriteHead(
        ref ByteWriter writer,
        int status,
        scoped ReadOnlySpan<byte> contentType,
        long contentLength,
        scoped ReadOnlySpan<byte> fields,
        scoped ReadOnlySpan<byte> addedFields,
        ConnectionOption option,
        ReactorClock clock)
    {
        writer.Write("HTTP/1.1 "u8);
        writer.WriteNumber(status);
        writer.Write((byte)' ');
        writer.Write(HttpStatus.ReasonOf(status));
        writer.Write("\r\nDate: "u8);
        writer.Write(clock.HttpDate);
        writer.Write("\r\n"u8);
        if (!contentType.IsEmpty)
        {
            writer.Write("Content-Type: "u8);
            writer.Write(contentType);
            writer.Write("\r\n"u8);
        }

        if (contentLength >= 0)
        {
            writer.Write("Content-Length: "u8);
            writer.WriteNumber(contentLength);
            writer.Write("\r\n"u8);
        }

        writer.Write(fields);
        writer.Write(addedFields);
        writer.Write(option switch
        {
            ConnectionOption.Close => "Connection: close\r\n\r\n"u8,
            ConnectionOption.KeepAlive => "Connection: keep-alive\r\n\r\n"u8,
            _ => "\r\n"u8,
        });
    }
}
