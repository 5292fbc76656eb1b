using System.Collections.Frozen;
using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>What the value of a field is that the proxy writes by itself.</summary>
internal enum PassedLineKind
{
    /// <summary>What its text says.</summary>
    Text,

    /// <summary>The length of the body that is sent, when it is known.</summary>
    BodyLength,

    /// <summary>"chunked" when the length is not known.</summary>
    Chunked,
}

/// <summary>A field of a request that is made anew.</summary>
internal readonly record struct PassedLine(byte[] Name, Template Value, PassedLineKind Kind);

/// <summary>
/// A <see cref="ProxyPassConfig"/> made ready: what is written to the backend, and what of its
/// answer passes. Immutable.
/// </summary>
internal sealed class PassRule
{
    /// <summary>Fields that are nobody's business but ours: ngx_http_proxy_hide_headers.</summary>
    private static readonly string[] HiddenByDefault =
    [
        "Date", "Server", "X-Pad", "X-Accel-Expires", "X-Accel-Redirect", "X-Accel-Limit-Rate",
        "X-Accel-Buffering", "X-Accel-Charset",
    ];

    /// <summary>What each request has unless proxy_set_header says otherwise.</summary>
    private static readonly (string Name, string Value, PassedLineKind Kind)[] Defaults =
    [
        ("Host", "$proxy_host", PassedLineKind.Text),
        ("Connection", "close", PassedLineKind.Text),
        ("Content-Length", "", PassedLineKind.BodyLength),
        ("Transfer-Encoding", "", PassedLineKind.Chunked),
        ("TE", "", PassedLineKind.Text),
        ("Keep-Alive", "", PassedLineKind.Text),
        ("Expect", "", PassedLineKind.Text),
        ("Upgrade", "", PassedLineKind.Text),
    ];

    private readonly byte[][] _written;
    private readonly byte[][] _hidden;
    private readonly FrozenSet<string> _ignored;
    private readonly Template[] _hints;

    /// <exception cref="FormatException">A text names no variable.</exception>
    /// <exception cref="ArgumentException">An expression is none.</exception>
    public PassRule(ProxyPassConfig config)
    {
        Config = config;
        Host = Encoding.UTF8.GetBytes(config.Host);
        Port = Encoding.UTF8.GetBytes(config.Port);
        Url = config.Url is null ? null : Template.Parse(config.Url);
        Uri = config.Uri is null ? null : Encoding.UTF8.GetBytes(config.Uri);
        MatchedLength = Encoding.UTF8.GetByteCount(config.Matched);
        Method = config.Method is null ? null : Template.Parse(config.Method);
        Body = config.Body is null ? null : Template.Parse(config.Body);
        LocalAddress = config.LocalAddress is null ? null : Template.Parse(config.LocalAddress);
        _hints = [.. config.EarlyHints.Select(Template.Parse)];
        StorePath = config.Store?.Path is { } store ? Template.Parse(store) : null;
        BytesPerSecond =
            config.BytesPerSecond is null ? null : Template.Parse(config.BytesPerSecond);
        (string Name, string Value, PassedLineKind Kind)[] fields =
        [
            .. config.Fields.Select(field => (field.Name, field.Value, PassedLineKind.Text)),
        ];
        fields =
        [
            .. fields,
            .. Defaults.Where(one => !Array.Exists(
                fields, field => IsSame(field.Name, one.Name))),
        ];
        _written = [.. fields.Select(field => Encoding.ASCII.GetBytes(field.Name))];
        Lines =
        [
            .. fields
                .Where(field => field.Value.Length > 0 || field.Kind != PassedLineKind.Text)
                .Select(field => new PassedLine(
                    Encoding.ASCII.GetBytes(field.Name), Template.Parse(field.Value), field.Kind)),
        ];
        _hidden =
        [
            .. HiddenByDefault.Concat(config.HiddenFields)
                .Where(name => !config.ShownFields.Any(shown => IsSame(shown, name)))
                .Select(Encoding.ASCII.GetBytes),
        ];
        _ignored = config.IgnoredFields.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
        Redirects = [.. config.Redirects.Select(TextRewrite.Of)];
        CookieDomains = [.. config.CookieDomains.Select(TextRewrite.Of)];
        CookiePaths = [.. config.CookiePaths.Select(TextRewrite.Of)];
        CookieFlags = [.. config.CookieFlags.Select(flags => new CookieFlagRule(flags))];
        UsesGroups = Array.Exists(Lines, line => line.Value.UsesGroups)
            || Url is { UsesGroups: true } || Method is { UsesGroups: true }
            || Body is { UsesGroups: true } || LocalAddress is { UsesGroups: true }
            || StorePath is { UsesGroups: true };
    }

    public ProxyPassConfig Config { get; }

    /// <summary>$proxy_host where no variables make it.</summary>
    public byte[] Host { get; }

    public byte[] Port { get; }

    /// <summary>Null where the backend is known from the beginning.</summary>
    public Template? Url { get; }

    /// <summary>In place of the first <see cref="MatchedLength"/> bytes of the path.</summary>
    public byte[]? Uri { get; }

    public int MatchedLength { get; }

    public Template? Method { get; }

    public Template? Body { get; }

    public Template? LocalAddress { get; }

    public Template? BytesPerSecond { get; }

    /// <summary>Where answers are kept; null is where the location's root has them.</summary>
    public Template? StorePath { get; }

    /// <summary>In the order in which they are written.</summary>
    public PassedLine[] Lines { get; }

    public TextRewrite[] Redirects { get; }

    public TextRewrite[] CookieDomains { get; }

    public TextRewrite[] CookiePaths { get; }

    public CookieFlagRule[] CookieFlags { get; }

    /// <summary>Texts name groups of the path's expression.</summary>
    public bool UsesGroups { get; }

    /// <summary>Whether the client's body goes to the backend.</summary>
    public bool PassesBody => Config.PassesBody && Body is null;

    /// <summary>Set-Cookie passes as it is.</summary>
    public bool KeepsCookies =>
        CookieDomains.Length + CookiePaths.Length + CookieFlags.Length == 0;

    /// <summary>The client's field is not passed on: another takes its place, or none.</summary>
    public bool Replaces(ReadOnlySpan<byte> name) => IsAmong(_written, name);

    /// <summary>The backend's field does not reach the client.</summary>
    public bool Hides(ReadOnlySpan<byte> name) => IsAmong(_hidden, name);

    /// <summary>Any of early_hints' texts is neither empty nor 0.</summary>
    public bool WantsHints(Exchange exchange)
    {
        foreach (Template hint in _hints)
        {
            using var text = EvaluatedText.Of(hint, exchange);
            if (!text.Text.IsEmpty && !text.Text.SequenceEqual("0"u8))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>proxy_ignore_headers names it.</summary>
    public bool Ignores(string name) => _ignored.Contains(name);

    private static bool IsAmong(byte[][] names, ReadOnlySpan<byte> name)
    {
        foreach (byte[] one in names)
        {
            if (one.Length == name.Length && Ascii.EqualsIgnoreCase(one, name))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsSame(string a, string b) =>
        string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
}
