using System.Collections.Immutable;
using System.Text;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Nginx;

/// <summary>Modern and ancient browsers: ngx_http_browser_module. Stateless.</summary>
internal static class BrowserModule
{
    /// <summary>
    /// What browsers write in front of their version, and the shortest text before that; Opera
    /// comes first, since it claims to be others.
    /// </summary>
    private static readonly (string Name, string Mark, int Start)[] Known =
    [
        ("opera", "Opera", 0),
        ("msie", "MSIE ", "Mozilla/4.0 (compatible; ".Length),
        ("gecko", "rv:", "Mozilla/5.0 (".Length),
        ("safari", "Safari/", "Mozilla/5.0 (".Length),
        ("konqueror", "Konqueror/", "Mozilla/5.0 (compatible; ".Length),
    ];

    public static DirectiveRule[] Directives { get; } =
    [
        new("modern_browser", NginxContext.HttpServerLocation, 1, 2) { MayRepeat = true },
        new("ancient_browser", NginxContext.HttpServerLocation, 1, -1) { MayRepeat = true },
        new("modern_browser_value", NginxContext.HttpServerLocation),
        new("ancient_browser_value", NginxContext.HttpServerLocation),
    ];

    public static RouteConfig Apply(NginxScope scope, RouteConfig route, HttpReading reading)
    {
        NginxDirective[] modern = [.. scope.All("modern_browser")];
        string[] ancient = [.. scope.All("ancient_browser").SelectMany(d => d.Arguments)];
        return route with
        {
            Location = route.Location! with
            {
                Browsers = new BrowserConfig
                {
                    Modern =
                    [
                        .. modern.Where(d => d.Value != "unlisted").Select(ReadModern)
                            .OrderBy(browser => browser.Start),
                    ],
                    IsUnlistedModern = modern.Any(d => d.Value == "unlisted"),
                    Ancient = [.. ancient.Where(text => text != "netscape4")],
                    IsNetscapeAncient = ancient.Contains("netscape4"),
                    ModernValue = scope.Text("modern_browser_value", "1"),
                    AncientValue = scope.Text("ancient_browser_value", "1"),
                },
            },
        };
    }

    private static ModernBrowser ReadModern(NginxDirective directive)
    {
        (string Name, string Mark, int Start) known =
            Known.FirstOrDefault(browser => browser.Name == directive.Value);
        if (directive.Arguments.Length != 2 || known.Name is null)
        {
            throw directive.Error(directive.Arguments.Length == 2
                ? $"unknown browser name \"{directive.Value}\""
                : $"invalid number of arguments in \"{directive.Name}\" directive");
        }

        string version = directive.Arguments[1];
        return version.All(c => char.IsAsciiDigit(c) || c == '.')
            ? new ModernBrowser(
                known.Mark, known.Start, known.Mark.Length + (known.Name == "opera" ? 1 : 0),
                BrowserRule.ReadVersion(Encoding.ASCII.GetBytes(version)))
            : throw directive.Error($"invalid browser version \"{version}\"");
    }
}
