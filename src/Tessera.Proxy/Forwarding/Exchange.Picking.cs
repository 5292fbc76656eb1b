using System.Diagnostics;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// What the choice of an endpoint asks of a request, and what it leaves behind: the client's
/// binding, and the time that the endpoint takes.
/// </summary>
internal sealed partial class Exchange
{
    /// <summary>Longer hash keys are put together in a rented buffer.</summary>
    private const int MaxStackKeyBytes = 256;

    /// <summary>The endpoint that the client's cookie names.</summary>
    private Endpoint? _bound;

    /// <summary>Value of the Set-Cookie field that the response gets; null leaves it.</summary>
    private byte[]? _binding;

    private BalanceAlgorithm _algorithm;
    private long _tryTimestamp;

    private bool IsMeasured => _algorithm
        is BalanceAlgorithm.LeastTimeFirstByte or BalanceAlgorithm.LeastTimeLastByte;

    /// <summary>
    /// The head of the response is there, and becomes the client's: measures the time to it, and
    /// binds the client to the endpoint that answers.
    /// </summary>
    public void NoteReplyHead(long nowMs)
    {
        if (_algorithm == BalanceAlgorithm.LeastTimeFirstByte)
        {
            MeasureTime(nowMs);
        }

        if (_binding is not null)
        {
            TryAddField("Set-Cookie"u8, _binding);
        }

        _persistence?.NoteReplyHead(this, Endpoint!, nowMs);
    }

    /// <summary>What the last pick went through in vain; null when it found one.</summary>
    public BackendSet? FoundNoneIn { get; private set; }

    private Endpoint? Pick(BackendSet set, long nowMs)
    {
        _algorithm = set.Config.Algorithm;
        Span<byte> buffer = stackalloc byte[set.HashKey is null ? 0 : MaxStackKeyBytes];
        byte[] rented = [];
        StickyCookies? sticky = Route is null ? null : set.Sticky;
        _persistence = Route is null ? null : set.Persistence;
        _bound = sticky is not null
            ? sticky.Find(FieldText.FindCookie(Request, Received, sticky.Name))
            : _persistence?.Find(this, nowMs);
        var selection = new Selection
        {
            Client = Peer,
            Key = set.HashKey is null ? default : KeyOf(set.HashKey, buffer, ref rented),
            Bound = _bound,
            Tried = _tried,
            NowMs = nowMs,
        };
        Endpoint? picked = Balancer.TryPick(Backend, set, selection);
        _reactor.Buffers.Return(rented);

        // A client stays bound to an endpoint that was merely full, and comes back to it.
        bool isFull = _bound is not null && _bound.Takes(isBound: true)
            && !selection.Excludes(_bound);
        _binding = sticky is null || picked is null || picked == _bound || isFull
            ? null
            : sticky.FieldOf(picked);
        return picked;
    }

    /// <summary>
    /// What the text says of this request. Parts that do not fit into the largest head are left
    /// out.
    /// </summary>
    private ReadOnlySpan<byte> KeyOf(Template template, Span<byte> buffer, ref byte[] rented)
    {
        var writer = new ByteWriter(buffer);
        template.Write(ref writer, this);
        if (writer.HasOverflowed)
        {
            rented = _reactor.Buffers.Rent(_reactor.Buffers.HeadBytes);
            writer = new ByteWriter(rented);
            template.Write(ref writer, this);
        }

        return writer.Written;
    }

    /// <summary>
    /// For algorithms that go by time: a whole response took it, and so did one that never came.
    /// What failed at once says nothing about how fast the endpoint is, nor does the life of a
    /// tunnel.
    /// </summary>
    private void MeasureTry(long nowMs, ProxyError error)
    {
        bool isWhole = !error.IsError
            && _algorithm == BalanceAlgorithm.LeastTimeLastByte
            && Route is not null
            && Status != HttpStatus.SwitchingProtocols;
        bool isTimeout = error.Kind
            is ProxyErrorKind.ConnectTimeout or ProxyErrorKind.ReadTimeout
            && IsMeasured;
        if (isWhole || isTimeout)
        {
            MeasureTime(nowMs);
        }
    }

    private void MeasureTime(long nowMs) => Endpoint!.ResponseTime.Add(
        Stopwatch.GetElapsedTime(_tryTimestamp).TotalMicroseconds, nowMs);

    private void BeginMeasure() => _tryTimestamp = IsMeasured ? Stopwatch.GetTimestamp() : 0;

    private void ForgetPick()
    {
        _bound = null;
        _binding = null;
        _algorithm = default;
        ForgetPersistence();
    }

    private void AddTry(long nowMs)
    {
        if (TryCount == _tries.Length)
        {
            Array.Resize(ref _tries, TryCount * 2);
        }

        _tries[TryCount++] = new Try
        {
            Endpoint = Endpoint!,
            AddressText = Endpoint!.AddressText,
            IsElsewhere = TakeElsewhere(),
            StartMs = nowMs,
            ConnectedMs = -1,
            HeadMs = -1,
            EndMs = -1,
            StartTicks = Trace.IsSampled ? Stopwatch.GetTimestamp() : 0,
        };
        BeginMeasure();
    }
}
