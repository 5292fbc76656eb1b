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
        new("index", NginxContext.HttpServerLocation, 1, -1)
        {
            MayRepeat = true, Check = CheckIndex,
        },
        new("sendfile", NginxContext.HttpServerLocationIf)
        {
            Kind = ValueKind.Flag, HasNoEffect = true,
        },
        new("sendfile_max_chunk", NginxContext.HttpServerLocation)
        {
            Kind = ValueKind.Size, HasNoEffect = true,
        },
        new("directio", NginxContext.HttpServerLocation)
        {
            HasNoEffect = true, Check = CheckDirect,
        },
        Size("directio_alignment") with { HasNoEffect = true },
        Size("read_ahead") with { HasNoEffect = true },
        new("output_buffers", NginxContext.HttpServerLocation, 2, 2) { HasNoEffect = true },
        new("aio", NginxContext.HttpServerLocation) { HasNoEffect = true, Check = CheckAio },
        Flag("aio_write") with { HasNoEffect = true },
        Size("subrequest_output_buffer_size") with { HasNoEffect = true },
        new("open_file_cache", NginxContext.HttpServerLocation, 1, 2)
        {
            HasNoEffect = true, Check = CheckCache,
        },
        Time("open_file_cache_valid") with { HasNoEffect = true },
        Number("open_file_cache_min_uses") with { HasNoEffect = true },
        Flag("open_file_cache_errors") with { HasNoEffect = true },
        Flag("open_file_cache_events") with { HasNoEffect = true },
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

    /// <summary>nginx names the first, whichever is empty.</summary>
    private static void CheckIndex(NginxDirective index, DirectiveCheck check)
    {
        if (index.Arguments.Contains(""))
        {
            throw index.Error($"index \"{index.Value}\" in \"index\" directive is invalid");
        }
    }

    private static void CheckDirect(NginxDirective size, DirectiveCheck check)
    {
        if (size.Value != "off" && !NginxValue.TrySize(size.Value, out _))
        {
            throw size.Error("\"directio\" directive invalid value");
        }
    }

    private static void CheckAio(NginxDirective aio, DirectiveCheck check)
    {
        if (aio.Value == "on")
        {
            throw aio.Error("\"aio on\" is unsupported on this platform");
        }

        if (aio.Value is not ("off" or "threads")
            && !aio.Value.StartsWith("threads=", StringComparison.Ordinal))
        {
            throw aio.Error("invalid value");
        }
    }

    private static void CheckCache(NginxDirective cache, DirectiveCheck check)
    {
        bool hasMax = false;
        foreach (string parameter in cache.Arguments)
        {
            bool isRight = parameter.Split('=', 2) switch
            {
                ["off"] => hasMax = true,
                ["max", var number] => hasMax = int.TryParse(number, out int max) && max > 0,
                ["inactive", var time] => NginxValue.TryMilliseconds(time, out _),
                _ => false,
            };
            if (!isRight)
            {
                throw cache.Error($"invalid \"open_file_cache\" parameter \"{parameter}\"");
            }
        }

        if (!hasMax)
        {
            throw cache.Error("\"open_file_cache\" must have the \"max\" parameter");
        }
    }

    private static DirectiveRule Flag(string name) =>
        new(name, NginxContext.HttpServerLocation) { Kind = ValueKind.Flag };

    private static DirectiveRule Number(string name) =>
        new(name, NginxContext.HttpServerLocation) { Kind = ValueKind.Number };

    private static DirectiveRule Size(string name) =>
        new(name, NginxContext.HttpServerLocation) { Kind = ValueKind.Size };

    private static DirectiveRule Time(string name) =>
        new(name, NginxContext.HttpServerLocation) { Kind = ValueKind.Seconds };
}
