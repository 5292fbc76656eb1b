namespace Tessera.Proxy.Nginx;

/// <summary>Where the files of a location are, and its one content. Stateless.</summary>
internal static class ContentModule
{
    public static DirectiveRule[] Directives { get; } =
    [
        new("root", NginxContext.HttpServerLocationIf) { Check = CheckRoot },
        new("alias", NginxContext.Location) { Check = CheckRoot },
    ];

    public static RouteConfig Apply(NginxScope scope, RouteConfig route, HttpReading reading)
    {
        DocumentRootConfig root = ReadRoot(scope, reading);
        root = root with { Links = StaticModule.ReadLinks(scope) };
        route = route with { Location = route.Location! with { Root = root } };
        return ProxyModule.TryRead(scope, route, reading)
            ?? StaticModule.Apply(scope, route);
    }

    /// <summary>
    /// Of the innermost block that has either. An alias stands for the text of the location that it
    /// was written in, also where it is inherited (ngx_http_core_merge_loc_conf).
    /// </summary>
    private static DocumentRootConfig ReadRoot(NginxScope scope, HttpReading reading)
    {
        NginxScope? at = scope;
        while (at is not null && at.FindHere("root") is null && at.FindHere("alias") is null)
        {
            at = at.Outer;
        }

        NginxDirective? alias = at?.FindHere("alias");
        NginxDirective? root = at?.FindHere("root");
        if (alias is not null && root is not null)
        {
            NginxDirective[] both =
                [.. at!.Directives.Where(directive => directive.Name is "root" or "alias")];
            throw both[^1].Error(
                $"\"{both[^1].Name}\" directive is duplicate, \"{both[0].Name}\" directive was "
                + "specified earlier");
        }

        if (alias is not null)
        {
            PathMatch path = at!.Path!;
            bool isExpression = path.Kind is PathMatchKind.Regex or PathMatchKind.RegexIgnoreCase;
            return new DocumentRootConfig(
                Absolute(reading, alias.Value), isExpression ? "" : path.Text);
        }

        string text = Absolute(reading, root?.Value ?? "html");
        return new DocumentRootConfig(text.Length > 1 ? text.TrimEnd('/') : "");
    }

    /// <exception cref="NginxConfigException">It asks for itself.</exception>
    private static void CheckRoot(NginxDirective directive, DirectiveCheck check)
    {
        foreach (string own in (string[])["document_root", "realpath_root"])
        {
            if (directive.Value.Contains($"${own}", StringComparison.Ordinal)
                || directive.Value.Contains($"${{{own}}}", StringComparison.Ordinal))
            {
                throw directive.Error($"the ${own} variable cannot be used in the "
                    + $"\"{directive.Name}\" directive");
            }
        }

        NginxVariables.CheckText(directive, directive.Value);
    }

    /// <summary>A text that begins with a variable is what the variable says.</summary>
    private static string Absolute(HttpReading reading, string text) =>
        text.StartsWith('$') ? text : reading.Files.Resolve(text);
}
