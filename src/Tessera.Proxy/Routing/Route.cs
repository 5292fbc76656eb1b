using System.Text;
using Tessera.Proxy.Access;
using Tessera.Proxy.Answers;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Files;
using Tessera.Proxy.Flow;
using Tessera.Proxy.Http;
using Tessera.Proxy.Scripts;
using Tessera.Proxy.Telemetry;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>
/// One route as requests meet it: its configuration, made ready once. Immutable; what it counts
/// lives elsewhere and outlasts it.
/// </summary>
internal sealed class Route
{
    private readonly string _name;
    private Route? _others;
    private byte[][] _methods = [];

    /// <param name="backend">Null when the route answers by itself.</param>
    /// <exception cref="FormatException">A text of it names no variable.</exception>
    /// <exception cref="ArgumentException">An expression of it is none.</exception>
    public Route(RouteConfig config, Backend? backend, RouteFlow? flow = null)
    {
        Flow = flow;
        Config = config;
        _name = config.Host + config.Path.Text;
        Backend = backend;
        Gate = config.Access is null ? null : new AccessGate(config.Access);
        Files = config.Files is null ? null : new FileSite(config.Files);
        Compression = config.Compression is null ? null : new CompressionRule(config.Compression);
        Style = config.Answers is null ? null : new AnswerStyle(config.Answers);
        Gzip = config.Gzip is null ? null : new GzipRule(config.Gzip);
        Substitution = config.Substitution is null
            ? null
            : new SubstitutionRule(config.Substitution);
        HeadRules = config.Client is not { } client ? HeadRules.Strict : HeadRules.Tolerant with
        {
            IgnoresInvalidNames = client.IgnoresInvalidNames,
            AllowsUnderscores = client.AllowsUnderscores,
            MaxLineBytes = client.MaxLineBytes,
            MaxHeadBytes = client.MaxHeadBytes,
        };
        Documents = config.Documents is null ? null : new DocumentSite(config.Documents);
        Conditions = RouteConditions.Of(config);
        PathExpression = config.Location is not null && config.Path.Kind
            is PathMatchKind.Regex or PathMatchKind.RegexIgnoreCase
                ? new Expression(
                    config.Path.Text,
                    config.Path.Kind == PathMatchKind.RegexIgnoreCase,
                    VariableScope.Current)
                : null;
        ErrorPages = config.Location?.ErrorPages is { } pages ? new ErrorPageRoutes(pages) : null;
        TryFiles = config.Location?.TryFiles is { } tries ? new TryFilesRoute(tries) : null;
        RealIp = config.Location?.RealIp is { } realIp ? new RealIpRule(realIp) : null;
        Referers = config.Location?.Referers is { } referers ? new RefererRule(referers) : null;
        Browsers = config.Location?.Browsers is { } browsers ? new BrowserRule(browsers) : null;
        SecureLink = config.Location?.SecureLink is { } link ? new SecureLinkRule(link) : null;
        AuthRequest = config.Location?.AuthRequest is { } auth
            ? new AuthRequestRoute(auth)
            : null;
        Root = config.Location?.Root is { } root ? new DocumentRoot(root) : null;
        PathPattern = config.Path.Kind switch
        {
            _ when config.Location is not null => null,
            PathMatchKind.Regex => Pattern.Of(config.Path.Text),
            PathMatchKind.RegexIgnoreCase => Pattern.Of(config.Path.Text, ignoresCase: true),
            _ => null,
        };
        RedirectTarget = config.Redirect is { } redirect ? Template.Parse(redirect.Location) : null;
        ReplyBody = config.Reply is not { } reply ? null
            : reply.Bytes.IsDefault ? Template.Parse(reply.Body)
            : Template.Of(reply.Bytes.AsSpan());
        ReplyType = Encoding.ASCII.GetBytes(config.Reply?.ContentType ?? "");
        Rewrite = config.Rewrite is { } rewrite ? new PathRewrite(rewrite) : null;
        Pass = config.Pass is { } pass ? new PassRule(pass) : null;
        RequestFields = FieldEdit.OfRequest(config.RequestHeaders);
        ResponseFields = FieldEdit.OfResponse(config.ResponseHeaders);
        NeedsGroups = PathPattern is not null
            && (RedirectTarget is { UsesGroups: true } || ReplyBody is { UsesGroups: true }
                || RequestFields is { UsesGroups: true } || Pass is { UsesGroups: true }
                || ResponseFields is { UsesGroups: true });
        IsPlain = backend is not null
            && Gate is null
            && config.Location is null or
            {
                Script.IsEmpty: true, IsInternal: false, ErrorPages: null, TryFiles: null,
                AuthRequest: null, RealIp: null,
            }
            && config is
            {
                Flow: null, Rewrite: null, Compression: null, Redirect: null, Reply: null,
                Files: null, Answers: null, Documents: null, Pass: null
            }
            && config.RequestHeaders.IsEmpty
            && config.ResponseHeaders.IsEmpty;
    }

    public RouteConfig Config { get; }

    /// <summary>For logs, metrics and traces.</summary>
    public string Name => Config.Name.Length > 0 ? Config.Name : _name;

    /// <summary>What is counted of its requests; null counts them with those of no route.</summary>
    public RouteSeries? Series { get; set; }

    public Backend? Backend { get; }

    /// <summary>Null for a route that serves no streams, or passes them through.</summary>
    public StreamRule? Stream { get; init; }

    /// <summary>By name, where requests name theirs; null for other routes.</summary>
    public IReadOnlyDictionary<string, Backend>? Backends { get; set; }

    public AccessGate? Gate { get; }

    /// <summary>Null when the route serves no files.</summary>
    public FileSite? Files { get; }

    /// <summary>Null leaves responses as they are.</summary>
    public CompressionRule? Compression { get; }

    public RouteFlow? Flow { get; }

    /// <summary>Instead of the listener's; null leaves them.</summary>
    public AccessLog[]? Logs { get; init; }

    /// <summary>Instead of the configuration's; null leaves them.</summary>
    public ErrorSinks? ErrorSinks { get; init; }

    /// <summary>Which answers are compressed as nginx does it; null for none.</summary>
    public GzipRule? Gzip { get; }

    /// <summary>Texts that are replaced in answers; null for none.</summary>
    public SubstitutionRule? Substitution { get; }

    /// <summary>How the heads of its clients are read.</summary>
    public HeadRules HeadRules { get; }

    /// <summary>How its answers look; null answers in plain words.</summary>
    public AnswerStyle? Style { get; }

    /// <summary>Null when it serves no files as nginx does.</summary>
    public DocumentSite? Documents { get; }

    /// <summary>Null when host and path alone decide.</summary>
    public RouteConditions? Conditions { get; }

    /// <summary>Of a location; null when its path is compared as text.</summary>
    public Expression? PathExpression { get; }

    /// <summary>Locations within this one; null for none.</summary>
    public LocationTree? Nested { get; private set; }

    /// <summary>Run when the location is found; null for none.</summary>
    public Script? Script { get; private set; }

    /// <summary>Null leaves errors as they are.</summary>
    public ErrorPageRoutes? ErrorPages { get; }

    /// <summary>Null looks for no files before the content.</summary>
    public TryFilesRoute? TryFiles { get; }

    /// <summary>Where files of the location are; null for a route of another kind.</summary>
    public DocumentRoot? Root { get; }

    /// <summary>Null when the path is compared as text.</summary>
    public Pattern? PathPattern { get; }

    /// <summary>Where a redirect leads; null without one.</summary>
    public Template? RedirectTarget { get; }

    /// <summary>What the route answers with; null when it does not.</summary>
    public Template? ReplyBody { get; }

    /// <summary>Media type of <see cref="ReplyBody"/>.</summary>
    public byte[] ReplyType { get; }

    public PathRewrite? Rewrite { get; }

    /// <summary>Null passes requests as they are.</summary>
    public PassRule? Pass { get; }

    public FieldEdit? RequestFields { get; }

    public FieldEdit? ResponseFields { get; }

    /// <summary>A text of the route names groups of its expression.</summary>
    public bool NeedsGroups { get; }

    /// <summary>Forwards and does nothing else, which is the shortest way through.</summary>
    public bool IsPlain { get; }

    /// <summary>Whose word on the client's address counts; null for nobody's.</summary>
    public RealIpRule? RealIp { get; }

    /// <summary>Whom referers may name; null for anyone.</summary>
    public RefererRule? Referers { get; }

    /// <summary>Null outside of nginx's servers.</summary>
    public BrowserRule? Browsers { get; }

    /// <summary>How links are proven; null where they are not.</summary>
    public SecureLinkRule? SecureLink { get; }

    /// <summary>A location that is asked whether the request may pass; null for none.</summary>
    public AuthRequestRoute? AuthRequest { get; }

    /// <summary>Not every request may pass.</summary>
    public bool IsGuarded => Flow is not null || Gate is not null || AuthRequest is not null;

    /// <summary>Clients do not come here by themselves.</summary>
    public bool IsInternal => Config.Location is { IsInternal: true };

    /// <summary>Media type of texts that a script returns.</summary>
    public byte[] TextType { get; } = "text/plain"u8.ToArray();

    /// <summary>Makes what is within a location ready; called once, before it is used.</summary>
    /// <param name="create">Makes a route within it ready.</param>
    public void Complete(Func<RouteConfig, Route> create)
    {
        if (Config.Location is not { } location)
        {
            return;
        }

        Nested = location.Nested.IsEmpty
            ? null
            : new LocationTree([.. location.Nested.Select(create)]);
        Script = Script.Of(location.Script, create);
        if (location.MethodLimit is { } limit)
        {
            _others = create(limit.Others);
            _methods = [.. limit.Methods.Select(Encoding.ASCII.GetBytes)];
        }
    }

    /// <summary>This route, or what it has for methods that are not its own.</summary>
    public Route FindFor(ReadOnlySpan<byte> method)
    {
        if (_others is null)
        {
            return this;
        }

        foreach (byte[] own in _methods)
        {
            if (method.SequenceEqual(own))
            {
                return this;
            }
        }

        return _others;
    }
}
