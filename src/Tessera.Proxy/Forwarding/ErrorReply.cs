using System.Text;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Forwarding;

/// <summary>The answers of the proxy itself: a status and one line of words. Stateless.</summary>
internal static class ErrorReply
{
    /// <summary>When a client that got 503 may ask again, in seconds.</summary>
    private const int RetryAfterSeconds = 1;

    /// <summary>Room for a reply: its reason is cut to what fits.</summary>
    private const int MaxReasonBytes = 1_024;

    /// <summary>Returns the bytes written; 2 KiB are enough.</summary>
    /// <param name="hasBody">
    /// False in answer to HEAD: the length is told, the body left out.
    /// </param>
    public static int Write(
        Span<byte> destination,
        int status,
        string reason,
        ConnectionOption option,
        bool hasBody,
        ReactorClock clock,
        out int bodyBytes)
    {
        Span<byte> text = stackalloc byte[MaxReasonBytes];
        Encoding.UTF8.TryGetBytes(reason.AsSpan(0, Math.Min(reason.Length, MaxReasonBytes / 4)),
            text, out int reasonLength);
        var body = new ByteWriter(stackalloc byte[MaxReasonBytes + 128]);
        body.WriteNumber(status);
        body.Write((byte)' ');
        body.Write(HttpStatus.ReasonOf(status));
        body.Write((byte)'\n');
        if (reasonLength > 0)
        {
            body.Write(text[..reasonLength]);
            body.Write((byte)'\n');
        }

        var writer = new ByteWriter(destination);
        writer.Write("HTTP/1.1 "u8);
        writer.WriteNumber(status);
        writer.Write((byte)' ');
        writer.Write(HttpStatus.ReasonOf(status));
        writer.Write("\r\nDate: "u8);
        writer.Write(clock.HttpDate);
        writer.Write("\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "u8);
        writer.WriteNumber(body.Length);
        if (status == 503)
        {
            writer.Write("\r\nRetry-After: "u8);
            writer.WriteNumber(RetryAfterSeconds);
        }

        writer.Write(option switch
        {
            ConnectionOption.Close => "\r\nConnection: close\r\n\r\n"u8,
            ConnectionOption.KeepAlive => "\r\nConnection: keep-alive\r\n\r\n"u8,
            _ => "\r\n\r\n"u8,
        });
        bodyBytes = hasBody ? body.Length : 0;
        if (hasBody)
        {
            writer.Write(body.Written);
        }

        return writer.Length;
    }
}
