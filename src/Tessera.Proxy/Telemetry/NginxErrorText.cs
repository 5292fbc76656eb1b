using System.Globalization;
using System.Text;
using Tessera.Linux.Net;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// Says what went wrong in the words of nginx's error log, which people and programs look for.
/// Stateless.
/// </summary>
internal static class NginxErrorText
{
    /// <summary>A line about a request: what happened, and to whom.</summary>
    public static string Of(Exchange exchange, string message)
    {
        var text = new StringBuilder();
        text.Append('*').Append(exchange.Client.Serial).Append(' ').Append(message);
        if (exchange.Route?.Stream is not null)
        {
            return OfStream(text, exchange);
        }

        text.Append(", client: ").Append(LogEscape.ToText(exchange.PeerText));
        text.Append(", server: ").Append(exchange.Server is { } server
            ? Encoding.UTF8.GetString(server.Name)
            : exchange.Route?.Config.Host);
        RequestHead head = exchange.Request;
        if (head.TargetLength > 0)
        {
            int end = head.TargetStart + head.TargetLength;
            ReadOnlySpan<byte> line = exchange.Received[head.MethodStart..end];
            text.Append(", request: \"").Append(LogEscape.ToText(line))
                .Append(head.MinorVersion == 1 ? " HTTP/1.1\"" : " HTTP/1.0\"");
        }

        AppendUpstream(text, exchange);
        if (head.TargetLength > 0)
        {
            AppendField(text, ", host: \"", exchange.Host);
            AppendField(text, ", referrer: \"", Find(exchange, HeaderKind.Referer));
        }

        return text.ToString();
    }

    /// <summary>A line about a connection that is no HTTP.</summary>
    private static string OfStream(StringBuilder text, Exchange exchange)
    {
        text.Append(", ").Append(exchange.Client.LogPrefix);
        text.Append("client: ").Append(LogEscape.ToText(exchange.PeerText));
        text.Append(", server: ").Append(exchange.Client.Listener.Address);
        if (exchange.IsRelayed)
        {
            byte[] upstream = exchange.Endpoint?.AddressText ?? exchange.Backend.NameText;
            text.Append(", upstream: \"").Append(LogEscape.ToText(upstream)).Append('"');
            AppendBytes(text, exchange);
        }

        return text.ToString();
    }

    /// <summary>How much a connection has carried, on both sides.</summary>
    public static void AppendBytes(StringBuilder text, Exchange exchange)
    {
        long sent = 0;
        long received = 0;
        if (exchange.Tries is [.., var last])
        {
            sent = exchange.SentOf(last);
            received = exchange.ReceivedOf(last);
        }

        text.Append(
            CultureInfo.InvariantCulture,
            $", bytes from/to client:{exchange.BytesReceived}/{exchange.BytesSent}"
            + $", bytes from/to upstream:{received}/{sent}");
    }

    /// <summary>
    /// What nginx says of an error, and how much it weighs; null for one that it does not tell.
    /// </summary>
    public static (ErrorLevel Level, string Message)? Describe(Exchange exchange, ProxyError error)
    {
        bool isStream = exchange.Route?.Stream is not null;
        string reading = isStream && error.Kind == ProxyErrorKind.ReadTimeout
            ? "while proxying connection"
            : isStream ? "while proxying and reading from upstream"
            : exchange.HasReachedClient
            ? "while reading upstream"
            : "while reading response header from upstream";
        string? message = error.Kind switch
        {
            ProxyErrorKind.ConnectFailed =>
                $"connect() {To(exchange)}failed {Cause(error.Errno)} while connecting to upstream",
            ProxyErrorKind.ConnectTimeout =>
                "upstream timed out (110: Connection timed out) while connecting to upstream",
            ProxyErrorKind.SendFailed =>
                $"writev() failed {Cause(error.Errno)} while sending request to upstream",
            ProxyErrorKind.SendTimeout =>
                "upstream timed out (110: Connection timed out) while sending request to upstream",
            ProxyErrorKind.Closed when error.Errno != 0 =>
                $"recv() failed {Cause(error.Errno)} {reading}",
            ProxyErrorKind.Closed => $"upstream prematurely closed connection {reading}",
            ProxyErrorKind.ReadTimeout =>
                $"upstream timed out (110: Connection timed out) {reading}",
            ProxyErrorKind.InvalidResponse => $"upstream sent invalid header {reading}",
            ProxyErrorKind.NoEndpoint or ProxyErrorKind.AllFull or ProxyErrorKind.Unavailable
                or ProxyErrorKind.HoldTimeout or ProxyErrorKind.HoldQueueFull =>
                "no live upstreams while connecting to upstream",
            ProxyErrorKind.Exhausted when exchange.TryCount == 0 =>
                "no live upstreams while connecting to upstream",
            ProxyErrorKind.BodyTooLarge =>
                $"client intended to send too large body: {exchange.AnnouncedBodyBytes} bytes",
            ProxyErrorKind.InvalidBody => "client sent invalid chunked body",
            _ => null,
        };
        return message is not null ? (ErrorLevel.Error, message)
            : error is { Kind: ProxyErrorKind.BodyNotKept, Errno: > 0 }
                ? (ErrorLevel.Critical, DescribeStore(exchange, error.Errno))
            : DescribeClient(error.Kind);
    }

    /// <summary>A body that was to be kept in a file.</summary>
    private static string DescribeStore(Exchange exchange, int errno) =>
        exchange.Stored is { IsInFile: true } store
            ? $"pwrite() \"{LogEscape.ToText(store.FilePath)}\" failed {Cause(errno)}"
            : $"open() \"{exchange.ClientRules?.Body?.Folder.Path}\" failed {Cause(errno)}";

    /// <summary>A socket in the file system is named twice.</summary>
    private static string To(Exchange exchange) => exchange.Endpoint is { UnixPath: not null } one
        ? $"to {LogEscape.ToText(one.AddressText)} "
        : "";

    /// <summary>As nginx writes errno(3): its number, and the words of strerror(3).</summary>
    public static string Cause(int errno) => $"({errno}: {ErrnoText.Of(errno)})";

    /// <summary>What clients do is worth a line only to who asks for it.</summary>
    private static (ErrorLevel Level, string Message)? DescribeClient(ProxyErrorKind kind) =>
        kind switch
        {
            ProxyErrorKind.ClientGone => (ErrorLevel.Information,
                "client prematurely closed connection"),
            ProxyErrorKind.ClientTimeout => (ErrorLevel.Information,
                "client timed out (110: Connection timed out) while reading client request body"),
            ProxyErrorKind.ClientStalled => (ErrorLevel.Information,
                "client timed out (110: Connection timed out) while sending to client"),
            _ => null,
        };

    private static void AppendUpstream(StringBuilder text, Exchange exchange)
    {
        if (exchange.Backend is not { } backend || exchange.Request.TargetLength == 0)
        {
            return;
        }

        text.Append(", upstream: \"http://").Append(exchange.Endpoint is { } endpoint
            ? LogEscape.ToText(endpoint.AddressText)
            : backend.Name);
        RequestHead head = exchange.Request;
        text.Append(LogEscape.ToText(exchange.Target.IsEmpty
            ? exchange.Received.Slice(head.OriginFormStart, head.OriginFormLength)
            : exchange.Target));
        text.Append('"');
    }

    private static void AppendField(StringBuilder text, string name, ReadOnlySpan<byte> value)
    {
        if (!value.IsEmpty)
        {
            text.Append(name).Append(LogEscape.ToText(value)).Append('"');
        }
    }

    private static ReadOnlySpan<byte> Find(Exchange exchange, HeaderKind kind)
    {
        foreach (ref readonly HeaderField field in
            exchange.Request.Headers.AsSpan(0, exchange.Request.HeaderCount))
        {
            if (field.Kind == kind)
            {
                return field.Value(exchange.Received);
            }
        }

        return default;
    }
}
