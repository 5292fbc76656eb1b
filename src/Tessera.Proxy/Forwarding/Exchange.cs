using System.Diagnostics;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Flow;
using Tessera.Proxy.Http;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// One request and its answer: everything that is known about it from its first byte to its line in
/// the access log. Taken from its shard's stock for each request, so that idle connections have
/// none. Owned by one reactor.
/// </summary>
internal sealed partial class Exchange
{
    /// <summary>The most that <see cref="ReplyHeadroom"/> may be, in bytes.</summary>
    public const int MaxReplyHeadroom = ResponseEditor.Headroom + MaxAddedBytes;

    /// <summary>Larger buffers are not kept for the next request.</summary>
    private const int MaxSpareBytes = 1_024;

    private readonly Reactor _reactor;
    private readonly List<Endpoint> _tried = [];
    private byte[] _path = [];
    private int _pathLength = -1;
    private byte[] _target = [];
    private int _targetLength;
    private bool _hasRouteFields;
    private byte[] _addedFields = [];
    private int _addedLength;
    private Try[] _tries = new Try[4];
    private Endpoint? _reserved;
    private byte[]? _bindingBefore;

    public Exchange(Reactor reactor, int maxHeaderCount)
    {
        _reactor = reactor;
        Request = new RequestHead(maxHeaderCount);
        Response = new ResponseHead(maxHeaderCount);
        Wait = new IoOperation(reactor, handle: null);
    }

    public RequestHead Request { get; }

    public ResponseHead Response { get; }

    /// <summary>For waiting in a hold queue, or until a limit lets it go on.</summary>
    public IoOperation Wait { get; }

    public ClientConnection Client { get; private set; } = null!;

    /// <summary>Null for a tunnel of a listener, which asks no route.</summary>
    public Route? Route { get; private set; }

    /// <summary>Null while the request is not one to be forwarded.</summary>
    public Backend Backend { get; set; } = null!;

    /// <summary>The route's, or those of <see cref="Backend"/> as of the last pick.</summary>
    public BackendLimits Limits { get; private set; } = BackendLimits.Default;

    /// <summary>What it may still be tried for; set as <see cref="Limits"/> are.</summary>
    public RetryPolicy Retries;

    /// <summary>Counted in on it while not null.</summary>
    public Endpoint? Endpoint { get; private set; }

    public UpstreamConnection? Upstream { get; set; }

    /// <summary>When the first byte of the request was there.</summary>
    public long StartMs { get; private set; }

    /// <summary>When waiting for an endpoint is given up; 0 before it began.</summary>
    public long HoldDeadlineMs { get; set; }

    /// <summary>How often it rested because every endpoint had refused it.</summary>
    public int Rests { get; set; }

    /// <summary><see cref="Upstream"/> served another request before.</summary>
    public bool IsReused { get; set; }

    /// <summary>The next connection is a new one: an idle one has just proved stale.</summary>
    public bool NeedsNewConnection { get; set; }

    public BodyReader RequestBody;

    /// <summary>Bytes of the body that lie behind the head in the client's buffer.</summary>
    public int BodyInBuffer { get; private set; }

    /// <summary>
    /// What is kept of the body behind <see cref="BodyInBuffer"/>; null until something is, and
    /// then for all requests of this exchange.
    /// </summary>
    public BodyStore? Stored { get; set; }

    /// <summary>
    /// Body bytes behind the client's buffer were taken and not kept, so the request cannot be sent
    /// again.
    /// </summary>
    public bool IsStreamed { get; set; }

    /// <summary>
    /// A piece of the body that was taken from the client and is not sent yet, between
    /// <see cref="PieceStart"/> and <see cref="PieceEnd"/>; empty when there is none.
    /// </summary>
    public byte[] Piece { get; set; } = [];

    public int PieceStart { get; set; }

    public int PieceEnd { get; set; }

    /// <summary>The endpoint was given all of the request.</summary>
    public bool IsRequestSent =>
        RequestBody.IsComplete && PieceStart == PieceEnd
        && (SkipsBody || Stored is not { IsSent: false });

    /// <summary>Bytes of the request may have reached the endpoint of this try.</summary>
    public bool HasSent { get; set; }

    /// <summary>100 Continue was answered here.</summary>
    public bool HasContinued { get; set; }

    /// <summary>nginx counts what it said of going on as a part of the body.</summary>
    public int ContinueBytes =>
        HasContinued && Server is not null ? "HTTP/1.1 100 Continue\r\n\r\n".Length : 0;

    /// <summary>
    /// An error was to be answered: none is told to go on any more (nginx's expect_tested).
    /// </summary>
    public bool IsExpectTested { get; private set; }

    /// <summary>
    /// The response, from <see cref="ReplyStart"/> to <see cref="ReplyEnd"/>; empty when none is
    /// held.
    /// </summary>
    public byte[] Reply { get; set; } = [];

    public int ReplyStart { get; set; }

    public int ReplyEnd { get; set; }

    /// <summary>First byte behind the head as it was received.</summary>
    public int ReplyBodyStart { get; set; }

    public BodyReader ReplyBody;

    /// <summary>What the response is compressed with on its way.</summary>
    public ContentCoding ReplyCoding { get; set; }

    /// <summary>Nothing is left to relay; a tunnel has no such end.</summary>
    public bool IsReplyComplete =>
        ReplyBody.IsComplete && Status != HttpStatus.SwitchingProtocols;

    /// <summary>The client connection serves another request after this one.</summary>
    public bool KeepsClient { get; set; }

    /// <summary>
    /// The endpoint sent more than its response: its connection is of no further use.
    /// </summary>
    public bool HasExcess { get; set; }

    /// <summary>Of the interim responses (1xx) of endpoints.</summary>
    public int InterimBytes { get; set; }

    /// <summary>Interim responses (1xx) of an endpoint were sent to the client.</summary>
    public bool HasPassedInterim { get; set; }

    /// <summary>Some of an answer was sent to the client: no other answer can follow.</summary>
    public bool HasReachedClient { get; set; }

    /// <summary>For the access log; 0 when no status was sent.</summary>
    public int Status { get; set; }

    /// <summary>Bytes sent to the client behind the head.</summary>
    public long BodyBytesSent { get; set; }

    /// <summary>The error of the last try.</summary>
    public ProxyError LastError { get; private set; }

    public List<Endpoint> Tried => _tried;

    /// <summary>There may be an endpoint that was not tried yet.</summary>
    public bool HasUntried
    {
        get
        {
            foreach (Endpoint endpoint in Backend.Current.Active)
            {
                if (!_tried.Contains(endpoint))
                {
                    return true;
                }
            }

            return false;
        }
    }

    public ReadOnlySpan<Try> Tries => _tries.AsSpan(0, TryCount);

    public int TryCount { get; private set; }

    /// <summary>Begins at the parser's first byte; valid until the exchange ends.</summary>
    public ReadOnlySpan<byte> Received => Client.Received;

    public ReadOnlySpan<byte> Host => Received.Slice(Request.HostStart, Request.HostLength);

    /// <summary>
    /// Decoded and normal, without query (<see cref="PathNormalizer"/>); empty for "*".
    /// </summary>
    public ReadOnlySpan<byte> Path => _pathLength < 0
        ? Received.Slice(Request.PathStart, Request.PathLength)
        : _path.AsSpan(0, _pathLength);

    /// <summary>Without "?"; as the client sent it, unless it was changed on the way.</summary>
    public ReadOnlySpan<byte> Query
    {
        get
        {
            if (_queryLength >= 0)
            {
                return _query.AsSpan(0, _queryLength);
            }

            int start = Request.PathStart + Request.PathLength + 1;
            int end = Request.OriginFormStart + Request.OriginFormLength;
            return start < end ? Received[start..end] : default;
        }
    }

    /// <summary>
    /// Path and query that go to the endpoint in the place of the client's; empty when the route
    /// does not rewrite them.
    /// </summary>
    public ReadOnlySpan<byte> Target => _target.AsSpan(0, _targetLength);

    /// <summary>Bytes to leave free before a response, so that its head can be edited.</summary>
    public int ReplyHeadroom =>
        Route is null or { IsPlain: true } && _addedLength == 0 && _binding is null
        ? ResponseEditor.Headroom
        : MaxReplyHeadroom;

    public void Begin(ClientConnection client, long nowMs)
    {
        Client = client;
        StartMs = nowMs;
        BeginCounting();
    }

    /// <summary>
    /// The head is parsed: splits what was received behind it. False when its path means nothing.
    /// </summary>
    public bool NoteRequest()
    {
        RequestBody = new BodyReader(Request.Body, Request.ContentLength);
        BodyInBuffer = RequestBody.Take(Received[Request.Length..]);
        return NormalizePath(mergesSlashes: true);
    }

    private bool NormalizePath(bool mergesSlashes)
    {
        ReadOnlySpan<byte> path = Received.Slice(Request.PathStart, Request.PathLength);
        if (PathNormalizer.IsNormal(path))
        {
            return true;
        }

        if (_path.Length < path.Length)
        {
            _path = new byte[path.Length];
        }

        return PathNormalizer.TryNormalize(path, _path, out _pathLength, mergesSlashes);
    }

    /// <summary>The route that serves the request, to its end.</summary>
    public void Follow(Route route)
    {
        Route = route;
        Backend = route.Backend!;
        Response.Rules = route.Pass is null ? HeadRules.Strict : HeadRules.Tolerant;
        Groups = route.NeedsGroups && Server is null
            ? route.PathPattern!.Match(Path)?.Groups
            : null;
        Counters = route.Series?.CountersOf(Client.Shard.Number) ?? Counters;
    }

    /// <summary>
    /// Rewrites what the endpoint is asked for. False when it grew longer than
    /// <paramref name="maxBytes"/>.
    /// </summary>
    public bool TryRewrite(PathRewrite rewrite, int maxBytes)
    {
        while (true)
        {
            var writer = new ByteWriter(_target);
            rewrite.Write(ref writer, Path, Query);
            if (!writer.HasOverflowed)
            {
                _targetLength = writer.Length;
                return writer.Length <= maxBytes;
            }

            if (_target.Length >= maxBytes)
            {
                return false;
            }

            _target = new byte[Math.Max(MaxSpareBytes, _target.Length * 4)];
        }
    }

    /// <summary>
    /// Adds the route's fields to the response, once its status is known; whoever writes its head
    /// calls this first.
    /// </summary>
    public void AddRouteFields()
    {
        if (_hasRouteFields)
        {
            return;
        }

        _hasRouteFields = true;
        AddExpiry();
        if (Route?.ResponseFields is { } fields)
        {
            Span<byte> scratch = stackalloc byte[MaxSpareBytes];
            fields.AddTo(this, scratch);
        }
    }

    /// <summary>
    /// Has the fields of every status added once more to an answer that was begun as another one,
    /// as nginx does.
    /// </summary>
    public void AddRouteFieldsAgain() => _hasRouteFields = false;

    /// <summary>
    /// Picks an endpoint that was not tried yet and counts the request in. On failure nothing is
    /// counted: <see cref="ProxyErrorKind.NoEndpoint"/>, <see cref="ProxyErrorKind.AllFull"/> or
    /// <see cref="ProxyErrorKind.Exhausted"/>.
    /// </summary>
    public ProxyError TryPick(long nowMs)
    {
        // A stale idle connection says nothing against its endpoint: the same one once more, unless
        // it gets nothing new any more.
        if (Endpoint is { } left && !left.Takes(isBound: left == _bound))
        {
            left.End();
            Endpoint = null;
            NeedsNewConnection = false;
        }

        BackendSet set = Backend.Current;
        if (Endpoint is null)
        {
            Limits = Route?.Config.Limits ?? set.Limits;
            Endpoint = _reserved ?? Pick(set, nowMs);
            _reserved = null;
            if (Endpoint is null)
            {
                ProxyErrorKind kind =
                    set.Active.Length == 0 ? ProxyErrorKind.NoEndpoint
                    : Balancer.MayWaitForRoom(set, _tried) ? ProxyErrorKind.AllFull
                    : ProxyErrorKind.Exhausted;
                FoundNoneIn = set;
                return ProxyError.Of(kind, ProxyErrorSource.Proxy);
            }

            FoundNoneIn = null;
            _tried.Add(Endpoint);
            Endpoint.Health.NoteBegun(nowMs);
        }

        Retries.NoteTry(Route?.Config.Retry ?? set.Config.Retry, nowMs);
        AddTry(nowMs);
        HasSent = false;
        return ProxyError.None;
    }

    /// <summary>
    /// Picks the endpoint of the next try while this one's answer is still at hand, so that it is
    /// given up only for another. The next <see cref="TryPick"/> takes it.
    /// </summary>
    public bool TryReserve(long nowMs)
    {
        _bindingBefore = _binding;
        _reserved = Pick(Backend.Current, nowMs);
        if (_reserved is null)
        {
            _binding = _bindingBefore;
            return false;
        }

        return true;
    }

    /// <summary>Undoes <see cref="TryReserve"/>: this try's answer is passed on.</summary>
    public void GiveReserveBack()
    {
        _reserved!.GiveBack();
        _reserved = null;
        _binding = _bindingBefore;
    }

    /// <summary>Takes an idle connection to the endpoint, if there is one.</summary>
    public bool TryReuse(int reactor, long nowMs)
    {
        Upstream = NeedsNewConnection ? null : Endpoint!.PoolOf(reactor).TryTake();
        IsReused = Upstream is not null;
        if (IsReused)
        {
            NoteConnected(nowMs);
        }

        return IsReused;
    }

    public void NoteConnected(long nowMs)
    {
        ref Try current = ref _tries[TryCount - 1];
        current.ConnectedMs = nowMs;
        current.SentBefore = Upstream!.Transport.Handle.Write.TotalBytes;
        current.ReceivedBefore = Upstream.Transport.Handle.Read.TotalBytes;
    }

    /// <summary>
    /// The try is over. The connection is kept for others when its response was read to the end,
    /// else closed; the endpoint is counted out unless it gets the free try after a stale
    /// connection.
    /// </summary>
    public void EndTry(int reactor, long nowMs, ProxyError error)
    {
        LastError = error;
        KeepLearnt(error, nowMs);
        NoteTryEnd(ref _tries[TryCount - 1], nowMs, error);
        if (Upstream is { } upstream)
        {
            bool isKept = !error.IsError && CanKeepUpstream;
            Upstream = null;
            if (isKept)
            {
                Endpoint!.PoolOf(reactor).Put(upstream);
            }
            else
            {
                // A reset tells a server at once that nobody waits for its answer any more.
                upstream.Close(withReset: error.IsError);
            }
        }

        bool isStale = error.IsRetryable && RetryPolicy.IsStale(this, error.Kind);
        NeedsNewConnection = isStale;
        if (error.IsRetryable)
        {
            PrepareAnew(isStale, error.Kind);
        }

        MeasureTry(nowMs, error);
        if (isStale)
        {
            TryCount--;
            Retries.NoteStale();
            return;
        }

        Endpoint!.End();
        Endpoint = null;
    }

    /// <summary>All endpoints may be tried again.</summary>
    public void ForgetTried() => _tried.Clear();

    /// <summary>
    /// After a fault: lets go of what others count on. The exchange is not used again.
    /// </summary>
    public void Abandon()
    {
        Client.Shard.Counters.CountEnded();
        Upstream?.Close(withReset: true);
        Upstream = null;
        Endpoint?.End();
        Endpoint = null;
        _reserved?.End();
        _reserved = null;
        FoundNoneIn = null;
        Stored?.Release();
        Store?.Abandon();
        Spool?.Close();
        LeaveZones();
        Buffers.Return(Reply);
        Buffers.Return(Piece);
        Reply = [];
        Piece = [];
    }

    /// <summary>Everything back to its initial state; buffers must have been returned.</summary>
    public void Reset()
    {
        ResetTelemetry();
        ResetLimits();
        ResetStream();
        ResetAnswer();
        ResetLocation();
        ResetPass();
        ResetAsking();
        Request.Reset();
        Response.Reset();
        _tried.Clear();
        Array.Clear(_tries, 0, TryCount);
        TryCount = 0;
        Client = null!;
        Route = null;
        Backend = null!;
        _path = _path.Length > MaxSpareBytes ? [] : _path;
        _pathLength = -1;
        _addedFields = _addedFields.Length > MaxSpareBytes ? [] : _addedFields;
        _addedLength = 0;
        _target = _target.Length > MaxSpareBytes ? [] : _target;
        _targetLength = 0;
        _hasRouteFields = false;
        Groups = null;
        HoldDeadlineMs = 0;
        IsReused = false;
        NeedsNewConnection = false;
        RequestBody = default;
        Piece = [];
        PieceStart = 0;
        PieceEnd = 0;
        BodyInBuffer = 0;
        IsStreamed = false;
        HasSent = false;
        HasContinued = false;
        IsExpectTested = false;
        HasPassedInterim = false;
        InterimBytes = 0;
        Retries = default;
        ForgetPick();
        Rests = 0;
        Reply = [];
        ReplyStart = 0;
        ReplyEnd = 0;
        ReplyBodyStart = 0;
        ReplyBody = default;
        ReplyCoding = ContentCoding.Identity;
        HasExcess = false;
        KeepsClient = false;
        HasReachedClient = false;
        Status = 0;
        BodyBytesSent = 0;
        LastError = default;
    }

    private bool CanKeepUpstream =>
        Response.KeepAlive
        && IsRequestSent
        && IsReplyComplete
        && ReplyBody.Framing != BodyFraming.UntilClose
        && !HasExcess
        && Upstream!.MayServeOn(_reactor.NowMs)
        && Endpoint!.State == EndpointState.Active;

    /// <summary>The request goes out once more, from its first byte.</summary>
    private void PrepareAnew(bool isStale, ProxyErrorKind kind)
    {
        if (HasSent && kind != ProxyErrorKind.UnwelcomeStatus)
        {
            Retries.NoteReplay(isStale);
        }

        Response.Reset();
        Stored?.Rewind();
    }
}
