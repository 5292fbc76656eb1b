using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Tessera.Proxy.Flow;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;

namespace Tessera.Proxy.Variables;

/// <summary>
/// Writes what a variable says of a request, as it is known at that moment. Allocates nothing.
/// Stateless.
/// </summary>
internal static class VariableValue
{
    /// <summary>Longer credentials are no user's name.</summary>
    internal const int MaxCredentialBytes = 512;

    private static readonly byte[] Hostname = Encoding.ASCII.GetBytes(Environment.MachineName);

    private static readonly byte[] Version = Encoding.ASCII.GetBytes(
        typeof(VariableValue).Assembly.GetName().Version?.ToString(3) ?? "0");

    public static void Write(VariableName name, ref ByteWriter writer, Exchange exchange)
    {
        switch (name.Variable)
        {
            case >= Variable.RemoteAddr and <= Variable.TcpinfoRcvSpace:
                ConnectionValue.Write(name.Variable, ref writer, exchange);
                break;
            case >= Variable.Request and <= Variable.ProxyPort:
                WriteRequest(name.Variable, ref writer, exchange);
                break;
            case >= Variable.UpstreamAddr and <= Variable.UpstreamQueueTime:
                UpstreamValue.Write(name.Variable, ref writer, exchange);
                break;
            case >= Variable.Protocol and <= Variable.ProxyProtocolServerPort:
                StreamValue.Write(name.Variable, ref writer, exchange);
                break;
            case Variable.Arg:
                writer.Write(FieldText.FindArgument(exchange.Query, name.Member));
                break;
            case Variable.Http:
                FieldText.WriteAll(
                    ref writer, exchange.Request, exchange.Received, name.Member);
                break;
            case Variable.Cookie:
                writer.Write(
                    FieldText.FindCookie(exchange.Request, exchange.Received, name.Member));
                break;
            case Variable.SentHttp:
                exchange.WriteSentField(ref writer, name.Member);
                break;
            case Variable.SentTrailer:
                FieldText.WriteAll(ref writer, exchange.SentTrailers, name.Member);
                break;
            case Variable.UpstreamHttp:
                FieldText.WriteAllOfHead(ref writer, exchange.UpstreamHead, name.Member);
                break;
            case Variable.UpstreamTrailer:
                writer.Write(FieldText.Find(exchange.UpstreamTrailers, name.Member));
                break;
            case Variable.UpstreamCookie:
                writer.Write(FieldText.FindSetCookie(exchange.UpstreamHead, name.Member));
                break;
            case Variable.ProxyProtocolTlv:
                StreamValue.WriteField(ref writer, exchange.Client.ProxyHead, name.Member);
                break;
            case Variable.Own:
                writer.Write(exchange.OwnValueOf(name.Own!));
                break;
            case Variable.Group when exchange.Server is not null:
                writer.Write(exchange.CaptureOf(name.Member[0]));
                break;
            case Variable.Group:
                writer.Write(exchange.Groups is { } groups
                    ? groups[name.Member[0]].ValueSpan
                    : default);
                break;
            case >= Variable.ConnectionsActive and <= Variable.RequestsTotal:
                ServerValue.Write(name.Variable, ref writer, exchange.Client.Shard);
                break;
            default:
                WriteOther(name.Variable, ref writer, exchange);
                break;
        }
    }

    /// <summary>Seconds with three places, as nginx writes its times.</summary>
    public static void WriteSeconds(ref ByteWriter writer, long milliseconds)
    {
        writer.WriteNumber(milliseconds / 1_000);
        writer.Write((byte)'.');
        int fraction = (int)(milliseconds % 1_000);
        writer.Write((byte)('0' + (fraction / 100)));
        writer.Write((byte)('0' + (fraction / 10 % 10)));
        writer.Write((byte)('0' + (fraction % 10)));
    }

    private static void WriteRequest(Variable variable, ref ByteWriter writer, Exchange exchange)
    {
        RequestHead head = exchange.Request;
        ReadOnlySpan<byte> received = exchange.Received;
        switch (variable)
        {
            case Variable.Request:
                WriteRequestLine(ref writer, exchange);
                break;
            case Variable.RequestMethod:
                writer.Write(exchange.OwnMethodText);
                break;
            case Variable.RequestUri:
                writer.Write(received.Slice(head.OriginFormStart, head.OriginFormLength));
                break;
            case Variable.RequestLength:
                writer.WriteNumber(exchange.RequestLength);
                break;
            case Variable.RequestTime:
                WriteSeconds(ref writer, exchange.Client.Shard.Reactor.NowMs - exchange.StartMs);
                break;
            case Variable.RequestId:
                writer.Write(exchange.RequestId);
                break;
            case Variable.RequestCompletion:
                writer.Write(exchange.IsAnswered ? "OK"u8 : default);
                break;
            case Variable.RequestBody:
                exchange.WriteBody(ref writer);
                break;
            case Variable.RequestBodyFile when exchange.Stored is { IsInFile: true } stored:
                writer.Write(stored.FilePath);
                break;
            case Variable.Uri:
                writer.Write(exchange.Path);
                break;
            case Variable.Args:
                writer.Write(exchange.Query);
                break;
            case Variable.IsArgs:
                writer.Write(exchange.Query.IsEmpty ? default : "?"u8);
                break;
            case Variable.Host:
                WriteHost(
                    ref writer,
                    exchange.Host.IsEmpty && exchange.Server is { } server
                        ? server.Name
                        : exchange.Host);
                break;
            case Variable.Scheme:
                writer.Write("http"u8);
                break;
            case Variable.ServerProtocol:
                writer.Write(
                    exchange.Server is null ? ProtocolOf(head) : exchange.ProtocolText);
                break;
            case Variable.RemoteUser:
                WriteUser(ref writer, FieldText.Find(head, received, "authorization"u8));
                break;
            case Variable.ContentLength when exchange.Server is not null && head.IsChunked:
                WriteChunkedLength(ref writer, exchange);
                break;
            case Variable.ContentLength:
                writer.Write(FieldText.Find(head, received, "content_length"u8));
                break;
            case Variable.ContentType:
                writer.Write(FieldText.Find(head, received, "content_type"u8));
                break;
            case Variable.ProxyAddXForwardedFor:
                WriteForwardedFor(ref writer, exchange);
                break;
            default:
                WriteConfigured(variable, ref writer, exchange);
                break;
        }
    }

    /// <summary>nginx has the line as it was sent, and of one that it refuses too.</summary>
    private static void WriteRequestLine(ref ByteWriter writer, Exchange exchange)
    {
        RequestHead head = exchange.Request;
        if (exchange.Server is not null)
        {
            writer.Write(exchange.RequestLine);
        }
        else if (head.TargetLength > 0)
        {
            writer.Write(
                exchange.Received[head.MethodStart..(head.TargetStart + head.TargetLength)]);
            writer.Write((byte)' ');
            writer.Write(ProtocolOf(head));
        }
    }

    /// <summary>
    /// Known once the body has been read, and 0 for one that was thrown away for an answer.
    /// </summary>
    private static void WriteChunkedLength(ref ByteWriter writer, Exchange exchange)
    {
        bool isWanted = exchange.HasReadBody || exchange.HasReachedClient
            || (exchange.Status != 0 && !exchange.IsDropped);
        if (exchange.RequestBody.IsComplete && isWanted)
        {
            writer.WriteNumber(exchange.HasReadBody ? exchange.RequestBody.AnnouncedBytes : 0);
        }
    }

    /// <summary>What the route's configuration says; nothing without a route.</summary>
    private static void WriteConfigured(
        Variable variable, ref ByteWriter writer, Exchange exchange)
    {
        if (exchange.Route?.Config is not { } route)
        {
            return;
        }

        switch (variable)
        {
            case Variable.ServerName when exchange.Server is { } server:
                writer.Write(server.Name);
                break;
            case Variable.ServerName:
                writer.WriteText(route.Host);
                break;
            case Variable.DocumentRoot when exchange.Route.Root is { } root:
                root.WritePath(ref writer, exchange);
                break;
            case Variable.DocumentRoot:
                writer.WriteText(route.Files?.Root);
                break;
            case Variable.RealpathRoot:
                exchange.Route.Root?.WriteRealPath(ref writer, exchange);
                break;
            case Variable.InvalidReferer when exchange.Route.Referers is { } referers:
                writer.Write(referers.IsInvalid(exchange) ? "1"u8 : default);
                break;
            case Variable.Msie:
                writer.Write(exchange.IsMsie ? "1"u8 : default);
                break;
            case Variable.ModernBrowser or Variable.AncientBrowser:
                exchange.Route.Browsers?.Write(
                    ref writer, exchange.UserAgent, isModern: variable == Variable.ModernBrowser);
                break;
            case Variable.SecureLink:
                exchange.Route.SecureLink?.Write(ref writer, exchange);
                break;
            case Variable.SecureLinkExpires:
                exchange.Route.SecureLink?.WriteExpires(ref writer, exchange);
                break;
            case Variable.RequestFilename when exchange.Route.Root is { } root:
                root.WriteFile(ref writer, exchange.Path, exchange);
                break;
            case Variable.RequestFilename when route.Files is { } files:
                writer.WriteText(files.Root);
                ReadOnlySpan<byte> path = exchange.Path;
                int stripped = files.StripPrefix?.TrimEnd('/').Length ?? 0;
                writer.Write(path[Math.Min(stripped, path.Length)..]);
                break;
            case Variable.LimitRate:
                writer.WriteNumber(exchange.RateOverride >= 0
                    ? exchange.RateOverride
                    : route.Flow?.BytesPerSecond ?? 0);
                break;
            case Variable.LimitReqStatus:
                writer.Write(TextOf(exchange.RateOutcome));
                break;
            case Variable.LimitConnStatus:
                writer.Write(TextOf(exchange.CrowdOutcome));
                break;
            case Variable.ProxyHost or Variable.ProxyPort
                when exchange.Server is not null && !exchange.IsForwarded:
                break;
            case Variable.ProxyHost when exchange.Route.Pass is not null:
                writer.Write(exchange.PassHost);
                break;
            case Variable.ProxyHost:
                writer.WriteText(route.Backend);
                break;
            case Variable.ProxyPort when exchange.Route.Pass is not null:
                writer.Write(exchange.PassPort);
                break;
            case Variable.ProxyPort:
                writer.WriteNumber(exchange.Client.Listener.Address.Port);
                break;
        }
    }

    private static ReadOnlySpan<byte> TextOf(LimitOutcome outcome) => outcome switch
    {
        LimitOutcome.Passed => "PASSED"u8,
        LimitOutcome.Delayed => "DELAYED"u8,
        LimitOutcome.Rejected => "REJECTED"u8,
        LimitOutcome.DelayedDryRun => "DELAYED_DRY_RUN"u8,
        LimitOutcome.RejectedDryRun => "REJECTED_DRY_RUN"u8,
        _ => default,
    };

    private static void WriteOther(Variable variable, ref ByteWriter writer, Exchange exchange)
    {
        switch (variable)
        {
            case Variable.Status when exchange.IsReplyBare:
                writer.Write("009"u8);
                break;
            case Variable.Status:
                WriteStatus(ref writer, exchange.ToldStatus);
                break;
            case Variable.BytesSent:
                writer.WriteNumber(exchange.BytesSent);
                break;
            case Variable.BodyBytesSent:
                writer.WriteNumber(exchange.BodyBytesSent + exchange.ContinueBytes);
                break;
            case Variable.Hostname:
                writer.Write(Hostname);
                break;
            case Variable.Pid:
                writer.WriteNumber(Environment.ProcessId);
                break;
            case Variable.Msec:
                Shard shard = exchange.Client.Shard;
                WriteSeconds(ref writer, shard.Clock.ToUnixMs(shard.Reactor.NowMs));
                break;
            case Variable.TimeLocal:
                writer.Write(exchange.Client.Shard.Clock.LogTime);
                break;
            case Variable.TimeIso8601:
                writer.Write(exchange.Client.Shard.Clock.Iso8601);
                break;
            case Variable.DateLocal or Variable.DateGmt:
                WriteDate(ref writer, exchange.Client.Shard, variable == Variable.DateLocal);
                break;
            case Variable.TesseraVersion:
                writer.Write(Version);
                break;
            case Variable.NginxVersion:
                writer.WriteText(NginxVersion.Number);
                break;
            case Variable.Route:
                writer.WriteText(exchange.Route?.Name);
                break;
            case Variable.Backend:
                writer.WriteText(exchange.Backend?.Name);
                break;
            case Variable.Instance when exchange.TryCount > 0:
                writer.WriteText(exchange.Tries[^1].Endpoint?.Id);
                break;
            case Variable.TraceId:
                exchange.Trace.WriteTraceId(ref writer);
                break;
        }
    }

    /// <summary>As "Sunday, 22-Nov-2026 05:11:10 GMT".</summary>
    private static void WriteDate(ref ByteWriter writer, Shard shard, bool isLocal)
    {
        DateTimeOffset now = DateTimeOffset.FromUnixTimeMilliseconds(
            shard.Clock.ToUnixMs(shard.Reactor.NowMs));
        now = isLocal ? now.ToLocalTime() : now;
        Span<byte> text = stackalloc byte[64];
        if (now.TryFormat(
            text, out int length, "dddd, dd-MMM-yyyy HH:mm:ss ", CultureInfo.InvariantCulture))
        {
            writer.Write(text[..length]);
            writer.WriteText(!isLocal ? "GMT"
                : now.Offset == TimeSpan.Zero ? "UTC"
                : TimeZoneInfo.Local.StandardName);
        }
    }

    /// <summary>Three digits: nginx's 000 stands for no status at all.</summary>
    internal static void WriteStatus(ref ByteWriter writer, int status)
    {
        writer.Write(status < 10 ? "00"u8 : status < 100 ? "0"u8 : default);
        writer.WriteNumber(status);
    }

    private static ReadOnlySpan<byte> ProtocolOf(RequestHead head) =>
        head.MinorVersion == 1 ? "HTTP/1.1"u8 : "HTTP/1.0"u8;

    /// <summary>In lower case and without port; <c>$http_host</c> has it as it was sent.</summary>
    private static void WriteHost(ref ByteWriter writer, ReadOnlySpan<byte> host)
    {
        foreach (byte letter in HostSyntax.NameOf(host))
        {
            writer.Write(letter is >= (byte)'A' and <= (byte)'Z' ? (byte)(letter | 0x20) : letter);
        }
    }

    /// <summary>
    /// The user's name in Basic credentials (RFC 7617 section 2), checked or not.
    /// </summary>
    internal static void WriteUser(ref ByteWriter writer, ReadOnlySpan<byte> authorization)
    {
        Span<byte> decoded = stackalloc byte[MaxCredentialBytes];
        if (authorization.Length > MaxCredentialBytes
            || !Ascii.EqualsIgnoreCase(
                authorization[..Math.Min(6, authorization.Length)], "basic "u8)
            || Base64.DecodeFromUtf8(
                authorization[6..].Trim((byte)' '), decoded, out _, out int length)
                != OperationStatus.Done)
        {
            return;
        }

        int end = decoded[..length].IndexOf((byte)':');
        writer.Write(end < 0 ? default : decoded[..end]);
    }

    private static void WriteForwardedFor(ref ByteWriter writer, Exchange exchange)
    {
        ReadOnlySpan<byte> received = exchange.Received;
        foreach (ref readonly HeaderField field in
            exchange.Request.Headers.AsSpan(0, exchange.Request.HeaderCount))
        {
            if (field.Kind == HeaderKind.XForwardedFor && field.ValueLength > 0)
            {
                writer.Write(field.Value(received));
                writer.Write(", "u8);
            }
        }

        writer.Write(exchange.PeerText);
    }
}
