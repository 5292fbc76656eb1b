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

    /// <summary>Where the next round begins.</summary>
    public Jump Jump { get; set; }

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
        SetQuery(query);
        _visit.HasNoQuery = query.IsEmpty;
        SetPath(path);
        BeginAnew();
        Jump = Jump.Server;
    }

    /// <summary>
    /// Goes on at a named location, with the path as it is. Without such a location it is lost, and
    /// gets 500.
    /// </summary>
    /// <param name="name">With "@".</param>
    public void GoTo(ReadOnlySpan<byte> name)
    {
        Route? route = Server!.FindNamed(name);
        BeginAnew();
        if (route is null)
        {
            _visit.ChangesLeft = 0;
            Jump = Jump.Server;
            return;
        }

        Follow(route.FindFor(MethodText));
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
        _visit.LeftLocation = false;
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

        SetAway(target.Text);
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

    /// <summary>Another location, whose endpoints were not tried yet.</summary>
    private void BeginAnew()
    {
        _visit.IsInternal = true;
        _visit.HasChangedUri = true;
        _visit.ChangesLeft = Math.Max(0, _visit.ChangesLeft - 1);
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
        Jump = Jump.None;
        _visit.Reset();
        _namedPeer = default;
        _away = _away.Length > MaxSpareBytes ? [] : _away;
        _awayLength = 0;
        ResetVariables();
    }
}
