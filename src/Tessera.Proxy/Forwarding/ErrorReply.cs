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

    /// <summary>Returns the bytes written; 2 KiB and the added fields are enough.</summary>
    /// <param name="addedFields">Whole lines, each with its CRLF.</param>
    /// <param name="hasBody">
    /// False in answer to HEAD: the length is told, the body left out.
    /// </param>
    public static int Write(
        Span<byte> destination,
        int status,
        string reason,
        ReadOnlySpan<byte> addedFields,
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

        var fields = new ByteWriter(stackalloc byte[32]);
        if (status == 503 && addedFields.IndexOf("Retry-After:"u8) < 0)
        {
            fields.Write("Retry-After: "u8);
            fields.WriteNumber(RetryAfterSeconds);
            fields.Write("\r\n"u8);
        }

        var writer = new ByteWriter(destination);
        LocalReply.WriteHead(
            ref writer, status, "text/plain; charset=utf-8"u8, body.Length, fields.Written,
            addedFields, option, clock);
        bodyBytes = hasBody ? body.Length : 0;
        if (hasBody)
        {
            writer.Write(body.Written);
        }

        return writer.Length;
    }
}
