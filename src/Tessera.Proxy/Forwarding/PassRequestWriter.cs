using Tessera.Proxy.Http;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Writes the head of a request that is made anew for its backend: the request line, the fields
/// that the rule writes, then those of the client's that nothing replaces, as nginx does in
/// ngx_http_proxy_create_request. Stateless.
/// </summary>
internal static class PassRequestWriter
{
    /// <summary>Of proxy_set_body.</summary>
    private const int MaxBodyBytes = 64 * 1_024 * 1_024;

    /// <summary>
    /// The head, and the body where the rule has one of its own. False when that is too long.
    /// </summary>
    public static bool TryWrite(ref ByteWriter writer, Exchange exchange, PassRule rule)
    {
        ReadOnlySpan<byte> received = exchange.Received;
        WriteRequestLine(ref writer, exchange, rule);
        if (rule.Body is null)
        {
            WriteLines(ref writer, exchange, rule, exchange.PassedBodyLength);
            WriteClientFields(ref writer, exchange.Request, received, rule);
            return true;
        }

        // How long the body is stands before it.
        int size = exchange.Buffers.RelayBytes;
        while (true)
        {
            byte[] rented = exchange.Buffers.RentAny(size);
            var body = new ByteWriter(rented);
            rule.Body.Write(ref body, exchange);
            bool fits = !body.HasOverflowed;
            if (fits)
            {
                WriteLines(ref writer, exchange, rule, body.Length);
                WriteClientFields(ref writer, exchange.Request, received, rule);
                writer.Write(body.Written);
            }

            exchange.Buffers.Return(rented);
            if (fits || size >= MaxBodyBytes)
            {
                return fits;
            }

            size = Math.Min(size * 4, MaxBodyBytes);
        }
    }

    private static void WriteRequestLine(ref ByteWriter writer, Exchange exchange, PassRule rule)
    {
        int start = writer.Length;
        rule.Method?.Write(ref writer, exchange);
        if (writer.Length == start)
        {
            writer.Write(exchange.MethodText);
        }

        // What variables gave may have been decoded: it must not become a line of its own.
        writer.EscapeControls(start);
        writer.Write((byte)' ');
        int target = writer.Length;
        WriteTarget(ref writer, exchange, rule);
        writer.EscapeControls(target);
        writer.Write(rule.Config.UsesHttp11 ? " HTTP/1.1\r\n"u8 : " HTTP/1.0\r\n"u8);
    }

    /// <summary>
    /// What variables made goes as it is; without a URI in proxy_pass the client's own goes as it
    /// was sent; else the URI stands for the location's prefix.
    /// </summary>
    private static void WriteTarget(ref ByteWriter writer, Exchange exchange, PassRule rule)
    {
        RequestHead head = exchange.Request;
        ReadOnlySpan<byte> received = exchange.Received;
        if (!exchange.PassUri.IsEmpty)
        {
            writer.Write(exchange.PassUri[0] == '/' ? default : "/"u8);
            writer.Write(exchange.PassUri);
            return;
        }

        if (rule.Uri is null && !exchange.HasChangedUri)
        {
            writer.Write(head.PathLength == 0 && head.IsAbsoluteForm ? "/"u8 : default);
            writer.Write(received.Slice(head.OriginFormStart, head.OriginFormLength));
            return;
        }

        ReadOnlySpan<byte> path = exchange.Path;
        if (rule.Uri is not null && !exchange.LeftLocation)
        {
            writer.Write(rule.Uri);
            path = path[Math.Min(rule.MatchedLength, path.Length)..];
        }

        if (exchange.IsInternal || exchange.IsPathEncoded)
        {
            UriText.WriteChangedPath(ref writer, path);
        }
        else
        {
            writer.Write(path);
        }

        if (!exchange.Query.IsEmpty)
        {
            writer.Write((byte)'?');
            writer.Write(exchange.Query);
        }
    }

    private static void WriteLines(
        ref ByteWriter writer, Exchange exchange, PassRule rule, long bodyLength)
    {
        foreach (PassedLine line in rule.Lines)
        {
            int start = writer.Length;
            writer.Write(line.Name);
            writer.Write(": "u8);
            int value = writer.Length;
            switch (line.Kind)
            {
                case PassedLineKind.BodyLength when bodyLength >= 0:
                    writer.WriteNumber(bodyLength);
                    break;
                case PassedLineKind.Chunked
                    when bodyLength < 0 && exchange.Request.IsChunked && !exchange.IsAsking:
                    writer.Write("chunked"u8);
                    break;
                case PassedLineKind.Text:
                    line.Value.Write(ref writer, exchange);
                    writer.RemoveControls(value);
                    break;
            }

            if (writer.Length == value)
            {
                writer.Truncate(start);
            }
            else
            {
                writer.Write("\r\n"u8);
            }
        }
    }

    /// <summary>
    /// Unlike a request that passes as it is, one that is made anew keeps whatever the rule does
    /// not name, fields of the client's hop included.
    /// </summary>
    private static void WriteClientFields(
        ref ByteWriter writer, RequestHead head, ReadOnlySpan<byte> received, PassRule rule)
    {
        if (rule.Config.PassesFields)
        {
            foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
            {
                if (field.Kind != HeaderKind.Underscored
                    && !rule.Replaces(field.Name(received)))
                {
                    writer.Write(field.Name(received));
                    writer.Write(": "u8);
                    writer.Write(field.Value(received));
                    writer.Write("\r\n"u8);
                }
            }
        }

        writer.Write("\r\n"u8);
    }
}
