using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Answers from files: ngx_http_static_module, index, autoindex, and what the core module says of
/// files. Stateless.
/// </summary>
internal static class StaticModule
{
    public static DirectiveRule[] Directives { get; } =
    [
        new("index", NginxContext.HttpServerLocation, 1, -1) { MayRepeat = true },
        new("sendfile", NginxContext.HttpServerLocationIf) { Kind = ValueKind.Flag },
        new("sendfile_max_chunk", NginxContext.HttpServerLocation) { Kind = ValueKind.Size },
        Any("directio"), Size("directio_alignment"), Size("read_ahead"),
        new("output_buffers", NginxContext.HttpServerLocation, 2, 2),
        Any("aio"), Flag("aio_write"), Size("subrequest_output_buffer_size"),
        new("open_file_cache", NginxContext.HttpServerLocation, 1, 2),
        Time("open_file_cache_valid"), Number("open_file_cache_min_uses"),
        Flag("open_file_cache_errors"), Flag("open_file_cache_events"),
        new("disable_symlinks", NginxContext.HttpServerLocation, 1, 2),
        new("etag", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("if_modified_since", NginxContext.HttpServerLocation)
        {
            Choices = ["off", "exact", "before"],
        },
        Number("max_ranges"),
        Flag("autoindex"), Flag("autoindex_exact_size"), Flag("autoindex_localtime"),
        new("autoindex_format", NginxContext.HttpServerLocation)
        {
            Choices = ["html", "json", "jsonp", "xml"],
        },
        new("gzip_static", NginxContext.HttpServerLocation) { Choices = ["off", "on", "always"] },
    ];

    /// <summary>What answers where nothing else does.</summary>
    public static RouteConfig Apply(NginxScope scope, RouteConfig route)
    {
        string[] index = [.. scope.All("index").SelectMany(d => d.Arguments)];
        string compressed = scope.Text("gzip_static", "off");
        return route with
        {
            Documents = new DocumentsConfig
            {
                Index = index.Length == 0 ? ["index.html"] : [.. index],
                ListsFolders = scope.Flag("autoindex", false),
                ListsExactSizes = scope.Flag("autoindex_exact_size", true),
                ListsLocalTimes = scope.Flag("autoindex_localtime", false),
                ListingFormat = scope.Text("autoindex_format", "html") switch
                {
                    "json" => ListingFormat.Json,
                    "jsonp" => ListingFormat.Jsonp,
                    "xml" => ListingFormat.Xml,
                    _ => ListingFormat.Html,
                },
                SendsETag = scope.Flag("etag", true),
                ModifiedSince = scope.Text("if_modified_since", "exact") switch
                {
                    "off" => ModifiedSinceRule.Off,
                    "before" => ModifiedSinceRule.Before,
                    _ => ModifiedSinceRule.Exact,
                },
                MaxRanges = scope.Number("max_ranges", int.MaxValue),
                IsPrecompressed = compressed == "on",
                IsAlwaysPrecompressed = compressed == "always",
            },
        };
    }

    /// <summary>Null where links are followed.</summary>
    public static LinkCheckConfig? ReadLinks(NginxScope scope)
    {
        if (scope.Find("disable_symlinks") is not { } directive)
        {
            return null;
        }

        string? from = null;
        bool? followsOwners = null;
        bool isOff = false;
        foreach (string argument in directive.Arguments)
        {
            switch (argument)
            {
                case "off":
                    isOff = true;
                    break;
                case "on" or "if_not_owner":
                    followsOwners = argument == "if_not_owner";
                    break;
                case ['f', 'r', 'o', 'm', '=', _, ..]:
                    from = argument["from=".Length..];
                    NginxVariables.CheckText(directive, from);
                    break;
                default:
                    throw directive.Error($"invalid parameter \"{argument}\"");
            }
        }

        if (isOff)
        {
            return directive.Arguments.Length == 1
                ? null
                : throw directive.Error($"invalid parameter \"{directive.Arguments[1]}\"");
        }

        return new LinkCheckConfig(
            followsOwners ?? throw directive.Error(
                "\"disable_symlinks\" must have \"off\", \"on\" or \"if_not_owner\" parameter"),
            from);
    }

    private static DirectiveRule Any(string name) => new(name, NginxContext.HttpServerLocation);

    private static DirectiveRule Flag(string name) =>
        new(name, NginxContext.HttpServerLocation) { Kind = ValueKind.Flag };

    private static DirectiveRule Number(string name) =>
        new(name, NginxContext.HttpServerLocation) { Kind = ValueKind.Number };

    private static DirectiveRule Size(string name) =>
        new(name, NginxContext.HttpServerLocation) { Kind = ValueKind.Size };

    private static DirectiveRule Time(string name) =>
        new(name, NginxContext.HttpServerLocation) { Kind = ValueKind.Seconds };
}
