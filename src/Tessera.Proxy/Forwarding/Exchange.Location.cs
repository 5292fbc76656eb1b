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

    private byte[] _away = [];
    private int _awayLength;
    private InternetAddress _namedPeer;
    private byte[] _namedPeerText = [];

    /// <summary>Null where the listener's routes serve it.</summary>
    public VirtualServer? Server { get; private set; }

    /// <summary>
    /// try_files has chosen a file behind an alias that is a whole name (nginx's add_uri_to_alias).
    /// </summary>
    public bool AddsPathToAlias
    {
        get => _visit.AddsPathToAlias;
        set => _visit.AddsPathToAlias = value;
    }

    /// <summary>Where the next round begins.</summary>
    public Jump Jump { get; set; }

    /// <summary>
    /// An expression failed while its server or location was looked for: it is answered with 500.
    /// </summary>
    public bool HasFailedMatch { get; set; }

    /// <summary>The client did not ask for where it is now.</summary>
    public bool IsInternal => _visit.IsInternal;

    /// <summary>
    /// Path or query are not those of the client any more: endpoints are asked for what they are
    /// now (nginx's valid_unparsed_uri).
    /// </summary>
    public bool HasChangedUri => _visit.HasChangedUri;

    /// <summary>
    /// It was rewritten within the location, whose text says nothing of it any more (nginx's
    /// valid_location).
    /// </summary>
    public bool LeftLocation
    {
        get => _visit.LeftLocation;
        set => _visit.LeftLocation = value;
    }

    /// <summary>
    /// The status of whatever answers in the place of an error; 0 leaves the answer's own.
    /// </summary>
    public int StatusOverride => _visit.StatusOverride;

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

    /// <summary>
    /// GET in place of the client's method: for an error's page, and for a question.
    /// </summary>
    public bool IsTurnedToGet => _visit.IsTurnedToGet;

    /// <summary>As it goes to endpoints.</summary>
    public ReadOnlySpan<byte> MethodText => IsTurnedToGet
        ? "GET"u8
        : Received.Slice(Request.MethodStart, Request.MethodLength);

    /// <summary>$request_method, which a question does not change.</summary>
    public ReadOnlySpan<byte> OwnMethodText => IsAsking && !_departure.Visit.IsTurnedToGet
        ? Received.Slice(Request.MethodStart, Request.MethodLength)
        : MethodText;

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
            _visit.HasChangedUri = false;
        }

        _visit.ChangesLeft = MaxChanges;
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
            _visit.PathLength = 0;
        }

        Server = servers.Find(this);
        if (hasPath && !Server.MergesSlashes)
        {
            NormalizePath(mergesSlashes: false);
        }

        Follow(Server.Fallback);
        _visit.ChangesLeft = MaxChanges;
    }

    public Jump TakeJump()
    {
        Jump jump = Jump;
        Jump = Jump.None;
        return jump;
    }

    /// <summary>False when the path has been changed too often.</summary>
    public bool TryCountChange() => _visit.ChangesLeft > 0 && --_visit.ChangesLeft > 0;

    /// <summary>
    /// The client spelt its path with escapes: what they stood for is escaped again elsewhere
    /// (nginx's quoted_uri and plus_in_uri).
    /// </summary>
    public bool IsPathEncoded =>
        Received.Slice(Request.PathStart, Request.PathLength).ContainsAny((byte)'%', (byte)'+');

    /// <summary>Something has made the query empty, which is not the same as none.</summary>
    public bool HasEmptyQuery => _visit.QueryLength == 0 && !_visit.HasNoQuery;

    /// <summary>The path is another one from now on.</summary>
    public void SetPath(ReadOnlySpan<byte> path)
    {
        byte[] target = _visit.Path.Length < path.Length
            ? new byte[Math.Max(path.Length, 64)]
            : _visit.Path;
        path.CopyTo(target);
        _visit.Path = target;
        _visit.PathLength = path.Length;
        _visit.HasChangedUri = true;
    }

    /// <summary>
    /// A rewrite has matched: what it leads to is the server's own, and locations that are internal
    /// may serve it (ngx_http_script_regex_start_code).
    /// </summary>
    public void NoteRewritten()
    {
        _visit.IsInternal = true;
        _visit.HasChangedUri = true;
    }

    /// <summary>
    /// The path is that of a file that was found; endpoints are still asked for the client's.
    /// </summary>
    public void AdoptPath(ReadOnlySpan<byte> path)
    {
        bool hasChanged = HasChangedUri;
        SetPath(path);
        _visit.HasChangedUri = hasChanged;
    }

    /// <summary>The query is another one from now on.</summary>
    public void SetQuery(ReadOnlySpan<byte> query)
    {
        byte[] target = _visit.Query.Length < query.Length
            ? new byte[Math.Max(query.Length, 64)]
            : _visit.Query;
        query.CopyTo(target);
        _visit.Query = target;
        _visit.QueryLength = query.Length;
        _visit.HasNoQuery = false;
        _visit.HasChangedUri = true;
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
        _visit.HasNoQuery = query.IsEmpty;
        SetPath(path);
        _visit.LeftLocation = false;
    }

    /// <summary>
    /// Goes on at a named location, with the path as it is, and for endpoints as the client spelt
    /// it (ngx_http_named_location). Without such a location it is lost, and gets 500.
    /// </summary>
    /// <param name="name">With "@".</param>
    public void GoTo(ReadOnlySpan<byte> name)
    {
        Route? route = Server!.FindNamed(name);
        _visit.ChangesLeft = route is null ? 0 : _visit.ChangesLeft;
        Jump = Jump.Server;
        if (!TryBeginAnew())
        {
            return;
        }

        Follow(route!.FindFor(MethodText));
        Jump = Jump.Route;
    }

    /// <summary>It was sent round too often, or to nowhere.</summary>
    public bool IsLost => _visit.ChangesLeft == 0;

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
        if (Route?.ErrorPages is not { } pages || _visit.HasErrorPage || _visit.ChangesLeft == 0
            || HasReachedClient)
        {
            return false;
        }

        _visit.HasErrorPage = !pages.IsRecursive;
        return pages.Find(status) is { } page && TryServe(page, status);
    }

    /// <summary>A location was found: it serves, or what it has for other methods.</summary>
    public void FollowLocation(Route route)
    {
        Follow(route.FindFor(MethodText));
    }

    /// <summary>Bytes a second for the response, as set $limit_rate says.</summary>
    public void SetRate(ReadOnlySpan<byte> text) =>
        _visit.RateOverride = SizeText.TryParse(text, out long bytes) ? bytes : 0;

    /// <summary>-1 leaves the location's.</summary>
    public long RateOverride => _visit.RateOverride;

    private bool TryServe(ErrorPageRoute page, int status)
    {
        using var target = EvaluatedText.Of(page.Target, this);
        _visit.StatusOverride = page.NewStatus >= 0 ? page.NewStatus : status;
        if (target.Text is [(byte)'/', ..])
        {
            TurnToGet();
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
        _visit.HasErrorPage = true;
        _visit.StatusOverride = HttpStatus.IsRedirect(page.NewStatus) ? page.NewStatus : 302;
        Jump = Jump.Away;
        return true;
    }

    /// <summary>What is served instead is read, whatever the client meant to do.</summary>
    private void TurnToGet()
    {
        if (Request.Method != HttpMethod.Head)
        {
            _visit.IsTurnedToGet = true;
            Request.TurnTo(HttpMethod.Get);
        }
    }

    /// <summary>
    /// False for a request that goes in circles, or to nowhere: nothing of it is changed any more.
    /// </summary>
    private bool TryBeginAnew()
    {
        _visit.ChangesLeft = Math.Max(0, _visit.ChangesLeft - 1);
        bool wasForwarded = IsForwarded;
        BeginAnew();
        IsForwarded = IsLost && wasForwarded;
        return !IsLost;
    }

    /// <summary>Another location, whose endpoints were not tried yet.</summary>
    private void BeginAnew()
    {
        _visit.IsInternal = true;
        _visit.AddsPathToAlias = false;
        ForgetForwarding();
    }

    /// <summary>As if it had been to no backend; what is known of the tries stays.</summary>
    private void ForgetForwarding()
    {
        IsForwarded = false;
        ForgetPassUrl();
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
        HasFailedMatch = false;
        Jump = Jump.None;
        _visit.Reset();
        IsDropped = false;
        _namedPeer = default;
        _away = _away.Length > MaxSpareBytes ? [] : _away;
        _awayLength = 0;
        ResetVariables();
    }
}
