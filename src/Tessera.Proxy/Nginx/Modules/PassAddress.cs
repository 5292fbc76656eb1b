namespace Tessera.Proxy.Nginx;

/// <summary>What a proxy_pass names: host, port, and perhaps a URI.</summary>
/// <param name="Directive">Where it stands.</param>
/// <param name="Text">As it was written.</param>
/// <param name="Location">The prefix that the URI stands for; empty in an expression.</param>
internal sealed record PassAddress(NginxDirective Directive, string Text, string Location)
{
    private const string Scheme = "http://";

    public bool HasVariables => Text.Contains('$');

    /// <summary>Of a socket in the file system; null for the network.</summary>
    public string? UnixPath { get; private init; }

    /// <summary>$proxy_host: without port 80.</summary>
    public string Host { get; private init; } = "";

    /// <summary>A name or an address alone; IPv6 in brackets.</summary>
    public string Name { get; private init; } = "";

    public string Port { get; private init; } = "80";

    /// <summary>No port was written.</summary>
    public bool HasDefaultPort { get; private init; }

    /// <summary>Null where none was written: the client's own is passed.</summary>
    public string? Uri { get; private init; }

    /// <summary>proxy_redirect default.</summary>
    public TextReplacement DefaultRedirect => Uri is null
        ? new TextReplacement(Text + "/", "/")
        : new TextReplacement(Text, Location);

    /// <exception cref="NginxConfigException">It is no address, or not allowed here.</exception>
    public static PassAddress Read(NginxDirective pass, NginxScope scope, PathMatch path)
    {
        bool isPrefix = path.Kind is PathMatchKind.Prefix or PathMatchKind.PrefixBeforeRegex
            or PathMatchKind.Exact;
        var address = new PassAddress(pass, pass.Value, isPrefix ? path.Text : "");
        if (address.HasVariables)
        {
            return address;
        }

        string text = pass.Value;
        if (text.StartsWith("https://", StringComparison.OrdinalIgnoreCase))
        {
            throw pass.Error("https protocol requires SSL support");
        }

        if (!text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            throw pass.Error("invalid URL prefix");
        }

        PassAddress read = address.Split(text[Scheme.Length..]);
        bool mayHaveUri = isPrefix
            && (scope.Context == NginxContext.Location || scope.FindHere(pass.Name) is null);
        return read.Uri is null || mayHaveUri
            ? read
            : throw pass.Error(
                "\"proxy_pass\" cannot have URI part in location given by regular expression, "
                + "or inside named location, or inside \"if\" statement, "
                + "or inside \"limit_except\" block");
    }

    private PassAddress Split(string rest)
    {
        if (rest.StartsWith("unix:", StringComparison.Ordinal))
        {
            int colon = rest.IndexOf(':', "unix:".Length);
            string path = colon < 0 ? rest["unix:".Length..] : rest["unix:".Length..colon];
            return path.Length == 0
                ? throw Fault("no path in the unix domain socket", rest)
                : this with
                {
                    UnixPath = path,
                    Host = "localhost",
                    Name = "unix:" + path,
                    Port = "",
                    Uri = colon < 0 || colon + 1 == rest.Length ? null : rest[(colon + 1)..],
                };
        }

        int end = rest.AsSpan().IndexOfAny('/', '?');
        string host = end < 0 ? rest : rest[..end];
        string? uri = end < 0 ? null : rest[end..];
        int close = host.IndexOf(']');
        if (host.StartsWith('[') && close < 0)
        {
            throw Fault("invalid host", rest);
        }

        int port = host.IndexOf(':', Math.Max(close, 0));
        string name = port < 0 ? host : host[..port];
        if (name.Length == 0)
        {
            throw Fault("no host", rest);
        }

        string digits = port < 0 ? "80" : host[(port + 1)..];
        if (!ushort.TryParse(digits, out ushort number) || number == 0)
        {
            throw Fault("invalid port", rest);
        }

        return this with
        {
            Host = number == 80 ? name : $"{name}:{number}",
            Name = name,
            Port = digits,
            HasDefaultPort = port < 0,
            Uri = uri,
        };
    }

    private NginxConfigException Fault(string what, string text) =>
        Directive.Error($"{what} in upstream \"{text}\"");
}
