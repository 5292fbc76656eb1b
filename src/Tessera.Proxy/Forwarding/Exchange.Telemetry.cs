using System.Diagnostics;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Forwarding;

/// <summary>What is noted of an exchange for logs, metrics and traces alone.</summary>
internal sealed partial class Exchange
{
    private const int RequestIdBytes = 32;

    private byte[] _requestId = [];
    private bool _hasRequestId;
    private byte[] _upstreamHead = [];
    private int _upstreamHeadLength;
    private byte[] _sentHead = [];
    private int _sentHeadLength;
    private long _sentBefore;

    /// <summary>The answer did not get to its end.</summary>
    public bool IsCut { get; set; }

    /// <summary>The answer was sent to its end.</summary>
    public bool IsAnswered => HasReachedClient && !IsCut;

    /// <summary>How long it waited for an endpoint; -1 when it did not.</summary>
    public long HeldMs { get; private set; } = -1;

    /// <summary>Those of its route on this reactor; those of no route until it has one.</summary>
    public RequestCounters Counters { get; private set; } = null!;

    /// <summary>Where it stands among the spans of its trace; nothing without tracing.</summary>
    public TraceContext Trace;

    /// <summary>Sent to the client for this request, heads included.</summary>
    public long BytesSent => Client.Transport.Handle.Write.TotalBytes - _sentBefore;

    /// <summary>
    /// Head and body as they were received; of an invalid head what there was. nginx counts no body
    /// that it throws away.
    /// </summary>
    public long RequestLength =>
        Request.Length == 0
            ? Server is not null && Request.ReadLength > 0 ? Request.ReadLength : Received.Length
        : Server is not null && !HasReadBody ? Request.Length - Request.Start
        : Request.Length - Request.Start + RequestBody.Taken;

    /// <summary>32 random hexadecimal digits, the same for the whole request.</summary>
    public ReadOnlySpan<byte> RequestId
    {
        get
        {
            if (!_hasRequestId)
            {
                _requestId = _requestId.Length == 0 ? new byte[RequestIdBytes] : _requestId;
                var writer = new ByteWriter(_requestId);
                writer.WriteHex(Client.Shard.RandomBits.Next());
                writer.WriteHex(Client.Shard.RandomBits.Next());
                _hasRequestId = true;
            }

            return _requestId;
        }
    }

    /// <summary>
    /// The head as the endpoint sent it: while it is at hand, and later when it was kept.
    /// </summary>
    public ReadOnlySpan<byte> UpstreamHead =>
        _upstreamHeadLength > 0 ? _upstreamHead.AsSpan(0, _upstreamHeadLength)
        : Reply.Length > 0 && Response.Length > 0 && !HasReachedClient
            ? Reply.AsSpan(ReplyStart, Response.Length)
            : default;

    /// <summary>The head as the client got it, when it was kept.</summary>
    public ReadOnlySpan<byte> SentHead => _sentHead.AsSpan(0, _sentHeadLength);

    /// <summary>Bytes sent to the endpoint of a try, so far.</summary>
    public long SentOf(in Try one) => one.EndMs < 0 && Upstream is { } upstream
        ? upstream.Transport.Handle.Write.TotalBytes - one.SentBefore
        : one.BytesSent;

    /// <summary>As <see cref="SentOf"/>, received from it.</summary>
    public long ReceivedOf(in Try one) => one.EndMs < 0 && Upstream is { } upstream
        ? upstream.Transport.Handle.Read.TotalBytes - one.ReceivedBefore
        : one.BytesReceived;

    public void NoteHeld(long milliseconds) => HeldMs = Math.Max(HeldMs, 0) + milliseconds;

    /// <summary>The head of the final response of this try is parsed, and not edited yet.</summary>
    public void NoteUpstreamHead(long nowMs)
    {
        ref Try current = ref _tries[TryCount - 1];
        current.HeadMs = nowMs;
        current.Status = Response.StatusCode;
        int behind = ReplyEnd - ReplyStart - Response.Length;
        current.HeadBytes = ReceivedOf(current) - behind;
        if (KeepsHeads)
        {
            Keep(Reply.AsSpan(ReplyStart, Response.Length), ref _upstreamHead);
            _upstreamHeadLength = Math.Min(Response.Length, _upstreamHead.Length);
        }
    }

    /// <summary>
    /// The beginning of an answer, as it is about to be sent. It is kept only where the listener's
    /// log asks for what is in it.
    /// </summary>
    public void NoteSentHead(ReadOnlySpan<byte> answer)
    {
        if (KeepsHeads || HasTrailers)
        {
            int end = answer.IndexOf("\r\n\r\n"u8);
            ReadOnlySpan<byte> head = end < 0 ? answer : answer[..(end + 4)];
            Keep(head, ref _sentHead);
            _sentHeadLength = Math.Min(head.Length, _sentHead.Length);
        }
    }

    /// <summary>The id of the span of the current try, made when its request is written.</summary>
    public ulong BeginTrySpan()
    {
        ref Try current = ref _tries[TryCount - 1];
        current.SpanId = Client.Shard.RandomBits.NextId();
        return current.SpanId;
    }

    /// <summary>Those that get its line: its route's, else its listener's.</summary>
    public AccessLog[] Logs => Route?.Logs ?? Client.Listener.Logs;

    private bool KeepsHeads
    {
        get
        {
            foreach (AccessLog log in Logs)
            {
                if (log.Format.KeepsHeads)
                {
                    return true;
                }
            }

            return false;
        }
    }

    internal BufferPool Buffers => Client.Shard.Reactor.Buffers;

    private void BeginCounting()
    {
        _sentBefore = Client.Transport.Handle.Write.TotalBytes;
        Counters = Client.Shard.Unrouted;
    }

    private void NoteTryEnd(ref Try ended, long nowMs, ProxyError error)
    {
        ended.BytesSent = SentOf(ended);
        ended.BytesReceived = ReceivedOf(ended);
        ended.EndMs = nowMs;
        if (error.Kind is ProxyErrorKind.UnwelcomeStatus or ProxyErrorKind.Intercepted
            or ProxyErrorKind.RedirectedWithin)
        {
            // What came of its body was nobody's.
            ended.HeadBytes = ended.BytesReceived;
        }

        if (error.IsError && ended.Status == 0)
        {
            ended.Status = error.Status;
        }

        if (Trace.IsSampled)
        {
            ended.EndTicks = Stopwatch.GetTimestamp();
        }
    }

    /// <summary>Into a buffer of the reactor's; what does not fit is cut.</summary>
    private void Keep(ReadOnlySpan<byte> head, ref byte[] kept)
    {
        Buffers.Return(kept);
        kept = Buffers.Rent(Math.Min(head.Length, Buffers.HeadBytes));
        head[..Math.Min(head.Length, kept.Length)].CopyTo(kept);
    }

    private void ResetTelemetry()
    {
        Buffers.Return(_upstreamHead);
        Buffers.Return(_sentHead);
        _upstreamHead = [];
        _upstreamHeadLength = 0;
        _sentHead = [];
        _sentHeadLength = 0;
        _hasRequestId = false;
        IsCut = false;
        HeldMs = -1;
        Counters = null!;
        Trace = default;
    }
}
