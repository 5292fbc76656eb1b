using System.Net;
using Tessera.Linux.Net;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Variables;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Forwarding;

/// <summary>Where an exchange goes on that is sent to another place of its server.</summary>
internal enum Jump : byte
{
    /// <summary>Nowhere: it has been answered.</summary>
    None,

    /// <summary>From the beginning: the server's script, then a location for its path.</summary>
    Server,

    /// <summary>At the location that it has.</summary>
    Route,

    /// <summary>To the client, with an error's status and the place of its page.</summary>
    Away,
}

/// <summary>
/// The server and the location of an exchange, what its path has become on the way, and where it
/// goes next.
/// </summary>
internal sealed partial class Exchange
{
    /// <summary>
    /// Changes of the path, and redirects within the proxy: nginx's 10, and one too many.
    /// </summary>
    private const int MaxChanges = 11;

    private byte[] _query = [];
    private int _queryLength = -1;
    private bool _hasNoQuery;
    private byte[] _away = [];
    private int _awayLength;
    private int _changesLeft;
    private bool _hasErrorPage;
    private InternetAddress _namedPeer;
    private byte[] _namedPeerText = [];

    /// <summary>Null where the listener's routes serve it.</summary>
    public VirtualServer? Server { get; private set; }

    /// <summary>
    /// try_files has chosen a file behind an alias that is a whole name (nginx's add_uri_to_alias).
    /// </summary>
    public bool AddsPathToAlias { get; set; }

    /// <summary>Where the next round begins.</summary>
    public Jump Jump { get; set; }

    /// <summary>The client did not ask for where it is now.</summary>
    public bool IsInternal { get; private set; }

    /// <summary>
    /// Path or query are not those of the client any more: endpoints are asked for what they are
    /// now (nginx's valid_unparsed_uri).
    /// </summary>
    public bool HasChangedUri { get; private set; }

    /// <summary>
    /// It was rewritten within the location, whose text says nothing of it any more (nginx's
    /// valid_location).
    /// </summary>
    public bool LeftLocation { get; set; }

    /// <summary>
    /// The status of whatever answers in the place of an error; 0 leaves the answer's own.
    /// </summary>
    public int StatusOverride { get; private set; }

    /// <summary>
    /// As the log has it: of a page that was found in the place of an error it is 200, whatever
    /// part of it was asked for (nginx's err_status).
    /// </summary>
    public int ToldStatus => StatusOverride == 200 && Status is (206 or 304) ? 200 : Status;

    /// <summary>The connection ends without an answer, as a script has said.</summary>
    public bool IsDropped { get; private set; }

    /// <summary>
    /// Ends it without an answer; the log has the status of the error that led there, if one did.
    /// </summary>
    public void Drop(int status)
    {
        Status = StatusOverride > 0 ? StatusOverride : status;
        KeepsClient = false;
        IsDropped = true;
    }

    /// <summary>Where an error's page leads the client.</summary>
    public ReadOnlySpan<byte> Away => _away.AsSpan(0, _awayLength);

    /// <summary>The client: who is connected, or whom a trusted proxy names.</summary>
    public InternetAddress Peer => _namedPeer.Family != 0 ? _namedPeer : Client.Peer;

    public bool HasNamedPeer => _namedPeer.Family != 0;

    /// <summary>Without port.</summary>
    public ReadOnlySpan<byte> PeerText => _namedPeer.Family != 0
        ? _namedPeerText
        : Client.PeerText;

    /// <summary>A trusted proxy names the client (ngx_http_realip_module).</summary>
    public void NotePeer(IPEndPoint peer)
    {
        _namedPeer = new InternetAddress(peer);
        _namedPeerText = _namedPeer.HostText();
    }

    /// <summary>GET in place of the client's method, once an error's page is served.</summary>
    public bool IsTurnedToGet { get; private set; }

    /// <summary>As it goes to endpoints.</summary>
    public ReadOnlySpan<byte> MethodText => IsTurnedToGet
        ? "GET"u8
        : Received.Slice(Request.MethodStart, Request.MethodLength);

    public void Enter(VirtualServer server)
    {
        Server = server;
        if (!server.MergesSlashes)
        {
            NormalizePath(mergesSlashes: false);
        }

        if (Path.IsEmpty)
        {
            SetPath("/"u8);
            HasChangedUri = false;
        }

        _changesLeft = MaxChanges;
        Jump = Jump.Server;
    }

    /// <summary>
    /// A head that is refused, or whose path means nothing, belongs to the server that was named
    /// before it broke.
    /// </summary>
    public void EnterRefused(ServerTable servers)
    {
        bool hasPath = Request.TargetLength > 0 && NormalizePath(mergesSlashes: true);
        if (hasPath)
        {
            Request.NoteHost(Received);
        }
        else
        {
            // Of a request whose first line is wrong nginx reads no further one.
            Request.ForgetFields();
            SetQuery(default);
            _pathLength = 0;
        }

        Server = servers.Find(this);
        if (hasPath && !Server.MergesSlashes)
        {
            NormalizePath(mergesSlashes: false);
        }

        Follow(Server.Fallback);
        _changesLeft = MaxChanges;
    }

    public Jump TakeJump()
    {
        Jump jump = Jump;
        Jump = Jump.None;
        return jump;
    }

    /// <summary>False when the path has been changed too often.</summary>
    public bool TryCountChange() => _changesLeft > 0 && --_changesLeft > 0;

    /// <summary>
    /// The client spelt its path with escapes: what they stood for is escaped again elsewhere
    /// (nginx's quoted_uri and plus_in_uri).
    /// </summary>
    public bool IsPathEncoded =>
        Received.Slice(Request.PathStart, Request.PathLength).ContainsAny((byte)'%', (byte)'+');

    /// <summary>Something has made the query empty, which is not the same as none.</summary>
    public bool HasEmptyQuery => _queryLength == 0 && !_hasNoQuery;

    /// <summary>The path is another one from now on.</summary>
    public void SetPath(ReadOnlySpan<byte> path)
    {
        byte[] target = _path.Length < path.Length
            ? new byte[Math.Max(path.Length, 64)]
            : _path;
        path.CopyTo(target);
        _path = target;
        _pathLength = path.Length;
        HasChangedUri = true;
    }

    /// <summary>
    /// A rewrite has matched: what it leads to is the server's own, and locations that are internal
    /// may serve it (ngx_http_script_regex_start_code).
    /// </summary>
    public void NoteRewritten()
    {
        IsInternal = true;
        HasChangedUri = true;
    }

    /// <summary>
    /// The path is that of a file that was found; endpoints are still asked for the client's.
    /// </summary>
    public void AdoptPath(ReadOnlySpan<byte> path)
    {
        bool hasChanged = HasChangedUri;
        SetPath(path);
        HasChangedUri = hasChanged;
    }

    /// <summary>The query is another one from now on.</summary>
    public void SetQuery(ReadOnlySpan<byte> query)
    {
        byte[] target = _query.Length < query.Length
            ? new byte[Math.Max(query.Length, 64)]
            : _query;
        query.CopyTo(target);
        _query = target;
        _queryLength = query.Length;
        _hasNoQuery = false;
        HasChangedUri = true;
    }

    /// <summary>
    /// Goes on with a URI of the server, from its beginning: ngx_http_internal_redirect.
    /// </summary>
    /// <param name="uri">A path, and perhaps a query behind "?".</param>
    public void RedirectInternally(ReadOnlySpan<byte> uri)
    {
        int mark = uri.IndexOf((byte)'?');
        RedirectInternally(mark < 0 ? uri : uri[..mark], mark < 0 ? default : uri[(mark + 1)..]);
    }

    /// <inheritdoc cref="RedirectInternally(ReadOnlySpan{byte})"/>
    public void RedirectInternally(ReadOnlySpan<byte> path, ReadOnlySpan<byte> query)
    {
        Jump = Jump.Server;
        if (!TryBeginAnew())
        {
            return;
        }

        SetQuery(query);
        _hasNoQuery = query.IsEmpty;
        SetPath(path);
        LeftLocation = false;
    }

    /// <summary>
    /// Goes on at a named location, with the path as it is, and for endpoints as the client spelt
    /// it (ngx_http_named_location). Without such a location it is lost, and gets 500.
    /// </summary>
    /// <param name="name">With "@".</param>
    public void GoTo(ReadOnlySpan<byte> name)
    {
        Route? route = Server!.FindNamed(name);
        _changesLeft = route is null ? 0 : _changesLeft;
        Jump = Jump.Server;
        if (!TryBeginAnew())
        {
            return;
        }

        Follow(route!.FindFor(MethodText));
        Jump = Jump.Route;
    }

    /// <summary>It was sent round too often, or to nowhere.</summary>
    public bool IsLost => _changesLeft == 0;

    /// <summary>Where a redirect of the proxy's own leads the client.</summary>
    public void SetAway(ReadOnlySpan<byte> location)
    {
        _away = _away.Length < location.Length ? new byte[location.Length] : _away;
        location.CopyTo(_away);
        _awayLength = location.Length;
    }

    /// <summary>
    /// Serves the page of an error, if its location has one: then nothing else answers, and the
    /// next round goes there (ngx_http_special_response_handler).
    /// </summary>
    public bool TryIntercept(int status)
    {
        IsExpectTested |= Server is not null;
        if (Route?.ErrorPages is not { } pages || _hasErrorPage || _changesLeft == 0
            || HasReachedClient)
        {
            return false;
        }

        _hasErrorPage = !pages.IsRecursive;
        return pages.Find(status) is { } page && TryServe(page, status);
    }

    /// <summary>A location was found: it serves, or what it has for other methods.</summary>
    public void FollowLocation(Route route)
    {
        Follow(route.FindFor(MethodText));
    }

    /// <summary>Bytes a second for the response, as set $limit_rate says.</summary>
    public void SetRate(ReadOnlySpan<byte> text) =>
        RateOverride = SizeText.TryParse(text, out long bytes) ? bytes : 0;

    /// <summary>-1 leaves the location's.</summary>
    public long RateOverride { get; private set; } = -1;

    private bool TryServe(ErrorPageRoute page, int status)
    {
        using var target = EvaluatedText.Of(page.Target, this);
        StatusOverride = page.NewStatus >= 0 ? page.NewStatus : status;
        if (target.Text is [(byte)'/', ..])
        {
            IsTurnedToGet |= Request.Method != HttpMethod.Head;
            if (IsTurnedToGet)
            {
                Request.TurnToGet();
            }

            RedirectInternally(target.Text);
            return true;
        }

        if (target.Text is [(byte)'@', ..])
        {
            GoTo(target.Text);
            return true;
        }

        // What leads the client away is no error that another page could stand for.
        SetAway(target.Text);
        _hasErrorPage = true;
        StatusOverride = HttpStatus.IsRedirect(page.NewStatus) ? page.NewStatus : 302;
        Jump = Jump.Away;
        return true;
    }

    /// <summary>
    /// False for a request that goes in circles, or to nowhere: nothing of it is changed any more.
    /// </summary>
    private bool TryBeginAnew()
    {
        _changesLeft = Math.Max(0, _changesLeft - 1);
        bool wasForwarded = IsForwarded;
        BeginAnew();
        IsForwarded = IsLost && wasForwarded;
        return !IsLost;
    }

    /// <summary>Another location, whose endpoints were not tried yet.</summary>
    private void BeginAnew()
    {
        IsInternal = true;
        AddsPathToAlias = false;
        IsForwarded = false;
        _tried.Clear();
        _targetLength = 0;
        _hasRouteFields = false;
        HoldDeadlineMs = 0;
        Rests = 0;
        Retries = default;
        NeedsNewConnection = false;
        HasSent = false;
        HasExcess = false;
        ForgetPick();
        Response.Reset();
        Stored?.Rewind();
        Status = 0;
    }

    private void ResetLocation()
    {
        Server = null;
        Jump = Jump.None;
        IsInternal = false;
        AddsPathToAlias = false;
        HasChangedUri = false;
        LeftLocation = false;
        IsDropped = false;
        StatusOverride = 0;
        IsTurnedToGet = false;
        RateOverride = -1;
        _namedPeer = default;
        _hasErrorPage = false;
        _changesLeft = 0;
        _query = _query.Length > MaxSpareBytes ? [] : _query;
        _queryLength = -1;
        _away = _away.Length > MaxSpareBytes ? [] : _away;
        _awayLength = 0;
        ResetVariables();
    }
}
