using System.Globalization;

namespace Tessera.Proxy.Nginx;

/// <summary>Answers and changed paths before anything is served. Stateless.</summary>
internal static class RewriteModule
{
    public static DirectiveRule[] Directives { get; } =
    [
        new("return", NginxContext.Server | NginxContext.Location | NginxContext.ServerIf
            | NginxContext.LocationIf, 1, 2)
        {
            MayRepeat = true,
        },
    ];

    /// <summary>Null where no answer is written down.</summary>
    public static RouteConfig? TryReadReturn(NginxScope scope, RouteConfig route)
    {
        if (scope.FindHere("return") is not { } answer)
        {
            return null;
        }

        bool hasStatus = int.TryParse(
            answer.Value, NumberStyles.None, CultureInfo.InvariantCulture, out int status);
        if (!hasStatus && answer.Arguments.Length > 1)
        {
            throw answer.Error($"invalid return code \"{answer.Value}\"");
        }

        string text = hasStatus
            ? answer.Arguments.ElementAtOrDefault(1) ?? ""
            : answer.Value;
        return !hasStatus || status is 301 or 302 or 303 or 307 or 308
            ? route with { Redirect = new RedirectConfig(text, hasStatus ? status : 302) }
            : route with { Reply = new ReplyConfig(status, text) };
    }
}
