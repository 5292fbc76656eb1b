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
        DocumentRootConfig root = ReadRoot(scope, route.Path, reading);
        root = root with { Links = StaticModule.ReadLinks(scope) };
        route = route with { Location = route.Location! with { Root = root } };
        return ProxyModule.TryRead(scope, route, reading)
            ?? StaticModule.Apply(scope, route);
    }

    /// <summary>What it makes cannot be what it is made of.</summary>
    private static void CheckRoot(NginxDirective root, DirectiveCheck check)
    {
        foreach (string name in (string[])["document_root", "realpath_root"])
        {
            if (root.Value.Contains($"${name}", StringComparison.Ordinal)
                || root.Value.Contains($"${{{name}}}", StringComparison.Ordinal))
            {
                throw root.Error(
                    $"the ${name} variable cannot be used in the \"{root.Name}\" directive");
            }
        }
    }

    private static DocumentRootConfig ReadRoot(
        NginxScope scope, PathMatch path, HttpReading reading)
    {
        NginxDirective? alias = scope.FindInLocation("alias");
        NginxDirective? root = scope.FindInLocation("root");
        if (alias is not null && root is not null && scope.FindHere("root") is not null
            && scope.FindHere("alias") is not null)
        {
            throw (scope.Directives.Last(d => d.Name is "root" or "alias")).Error(
                $"\"{scope.Directives.Last(d => d.Name is "root" or "alias").Name}\" directive is "
                + $"duplicate, \"{scope.Directives.First(d => d.Name is "root" or "alias").Name}\" "
                + "directive was specified earlier");
        }

        if (alias is not null && scope.FindHere("root") is null)
        {
            NginxVariables.CheckText(alias, alias.Value);
            bool isExpression = path.Kind is PathMatchKind.Regex or PathMatchKind.RegexIgnoreCase;
            return new DocumentRootConfig(
                Absolute(reading, alias.Value), isExpression ? "" : path.Text);
        }

        root = scope.Find("root");
        if (root is not null)
        {
            NginxVariables.CheckText(root, root.Value);
        }

        string text = Absolute(reading, root?.Value ?? "html");
        return new DocumentRootConfig(text.Length > 1 ? text.TrimEnd('/') : "");
    }

    /// <summary>A text that begins with a variable is what the variable says.</summary>
    private static string Absolute(HttpReading reading, string text) =>
        text.StartsWith('$') ? text : reading.Files.Resolve(text);
}
