using System.Collections.Immutable;
using System.Globalization;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// What is served in the place of something else: error_page and try_files. Stateless.
/// </summary>
internal static class RedirectionModule
{
    public static DirectiveRule[] Directives { get; } =
    [
        new("error_page", NginxContext.HttpServerLocationIf, 2, -1)
        {
            MayRepeat = true, Check = (pages, _) => ReadPages(pages).Count(),
        },
        new("recursive_error_pages", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("try_files", NginxContext.Server | NginxContext.Location, 2, -1),
    ];

    public static RouteConfig Apply(NginxScope scope, RouteConfig route, HttpReading reading)
    {
        NginxDirective[] pages = [.. scope.All("error_page")];
        return route with
        {
            Location = route.Location! with
            {
                ErrorPages = pages.Length == 0
                    ? null
                    : new ErrorPagesConfig(
                        [.. pages.SelectMany(ReadPages)],
                        scope.Flag("recursive_error_pages", false)),
                TryFiles = scope.FindHere("try_files") is { } files ? ReadTryFiles(files) : null,
            },
        };
    }

    private static IEnumerable<ErrorPage> ReadPages(NginxDirective directive)
    {
        ImmutableArray<string> words = directive.Arguments;
        int codes = words.Length - 1;
        int newStatus = -1;
        if (words[codes - 1].StartsWith('='))
        {
            codes--;
            string text = words[codes][1..];
            if (codes == 0 || (text.Length > 0 && !TryRead(text, out newStatus)))
            {
                throw directive.Error($"invalid value \"{words[codes]}\"");
            }

            newStatus = text.Length == 0 ? 0 : newStatus;
        }

        NginxVariables.CheckText(directive, words[^1]);
        foreach (string word in words.Take(codes))
        {
            if (!TryRead(word, out int status) || status == 499)
            {
                throw directive.Error($"invalid value \"{word}\"");
            }

            if (status is < 300 or > 599)
            {
                throw directive.Error($"value \"{word}\" must be between 300 and 599");
            }

            yield return new ErrorPage(
                status,
                words[^1],
                newStatus == -1 && status is 494 or 495 or 496 or 497 ? 400 : newStatus);
        }
    }

    private static TryFilesConfig ReadTryFiles(NginxDirective directive)
    {
        foreach (string word in directive.Arguments)
        {
            NginxVariables.CheckText(directive, word);
        }

        string last = directive.Arguments[^1];
        int status = 0;
        if (last.StartsWith('=') && (!TryRead(last[1..], out status) || status > 999))
        {
            throw directive.Error($"invalid code \"{last}\"");
        }

        return new TryFilesConfig(
            directive.Arguments.RemoveAt(directive.Arguments.Length - 1),
            status == 0 ? last : "",
            status);
    }

    private static bool TryRead(string text, out int number) => int.TryParse(
        text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
