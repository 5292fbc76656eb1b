using System.Text;
using Tessera.Proxy.Access;
using Tessera.Proxy.Answers;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Files;
using Tessera.Proxy.Flow;
using Tessera.Proxy.Http;
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
        HeadRules = config.Client is not { } client ? HeadRules.Strict : HeadRules.Tolerant with
        {
            IgnoresInvalidNames = client.IgnoresInvalidNames,
            AllowsUnderscores = client.AllowsUnderscores,
            MaxLineBytes = client.MaxLineBytes,
            MaxHeadBytes = client.MaxHeadBytes,
        };
        Documents = config.Documents is null ? null : new DocumentSite(config.Documents);
        Conditions = RouteConditions.Of(config);
        PathPattern = config.Path.Kind switch
        {
            PathMatchKind.Regex => Pattern.Of(config.Path.Text),
            PathMatchKind.RegexIgnoreCase => Pattern.Of(config.Path.Text, ignoresCase: true),
            _ => null,
        };
        Location = config.Redirect is { } redirect ? Template.Parse(redirect.Location) : null;
        ReplyBody = config.Reply is { } reply ? Template.Parse(reply.Body) : null;
        ReplyType = Encoding.ASCII.GetBytes(config.Reply?.ContentType ?? "");
        Rewrite = config.Rewrite is { } rewrite ? new PathRewrite(rewrite) : null;
        RequestFields = FieldEdit.OfRequest(config.RequestHeaders);
        ResponseFields = FieldEdit.OfResponse(config.ResponseHeaders);
        NeedsGroups = PathPattern is not null
            && (Location is { UsesGroups: true } || ReplyBody is { UsesGroups: true }
                || RequestFields is { UsesGroups: true }
                || ResponseFields is { UsesGroups: true });
        IsPlain = backend is not null
            && Gate is null
            && config is
            {
                Flow: null, Rewrite: null, Compression: null, Redirect: null, Reply: null,
                Files: null, Answers: null, Documents: null
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

    public AccessGate? Gate { get; }

    /// <summary>Null when the route serves no files.</summary>
    public FileSite? Files { get; }

    /// <summary>Null leaves responses as they are.</summary>
    public CompressionRule? Compression { get; }

    public RouteFlow? Flow { get; }

    /// <summary>How the heads of its clients are read.</summary>
    public HeadRules HeadRules { get; }

    /// <summary>How its answers look; null answers in plain words.</summary>
    public AnswerStyle? Style { get; }

    /// <summary>Null when it serves no files as nginx does.</summary>
    public DocumentSite? Documents { get; }

    /// <summary>Null when host and path alone decide.</summary>
    public RouteConditions? Conditions { get; }

    /// <summary>Null when the path is compared as text.</summary>
    public Pattern? PathPattern { get; }

    /// <summary>Where a redirect leads; null without one.</summary>
    public Template? Location { get; }

    /// <summary>What the route answers with; null when it does not.</summary>
    public Template? ReplyBody { get; }

    /// <summary>Media type of <see cref="ReplyBody"/>.</summary>
    public byte[] ReplyType { get; }

    public PathRewrite? Rewrite { get; }

    public FieldEdit? RequestFields { get; }

    public FieldEdit? ResponseFields { get; }

    /// <summary>A text of the route names groups of its expression.</summary>
    public bool NeedsGroups { get; }

    /// <summary>Forwards and does nothing else, which is the shortest way through.</summary>
    public bool IsPlain { get; }
}
