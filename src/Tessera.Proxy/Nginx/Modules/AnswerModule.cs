using System.Collections.Immutable;
using Tessera.Proxy.Answers;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// How answers look: their fields, pages and types. Parts of ngx_http_core_module, and
/// ngx_http_headers_module. Stateless.
/// </summary>
internal static class AnswerModule
{
    private static readonly ImmutableSortedDictionary<string, string> FewTypes =
        new Dictionary<string, string>
        {
            ["html"] = "text/html", ["gif"] = "image/gif", ["jpg"] = "image/jpeg",
        }.ToImmutableSortedDictionary(StringComparer.Ordinal);

    private static readonly string[] Inheritance = ["on", "off", "merge"];

    public static DirectiveRule[] Directives { get; } =
    [
        new("server_tokens", NginxContext.HttpServerLocation) { Choices = ["on", "off", "build"] },
        Flag("absolute_redirect"), Flag("server_name_in_redirect"), Flag("port_in_redirect"),
        Flag("msie_padding"), Flag("msie_refresh"),
        new("default_type", NginxContext.HttpServerLocation),
        new("types", NginxContext.HttpServerLocation, 0, 0)
        {
            HasLines = true, MayRepeat = true, Check = CheckTypes,
        },
        Number("types_hash_max_size") with { HasNoEffect = true },
        Number("types_hash_bucket_size") with { HasNoEffect = true },
        new("add_header", NginxContext.HttpServerLocationIf, 2, 3)
        {
            MayRepeat = true, Check = CheckField,
        },
        new("add_trailer", NginxContext.HttpServerLocationIf, 2, 3)
        {
            MayRepeat = true, Check = CheckField,
        },
        new("add_header_inherit", NginxContext.HttpServerLocation) { Choices = Inheritance },
        new("add_trailer_inherit", NginxContext.HttpServerLocation) { Choices = Inheritance },
        new("expires", NginxContext.HttpServerLocationIf, 1, 2) { Check = CheckExpiry },
    ];

    public static RouteConfig Apply(
        NginxScope scope, RouteConfig route, HttpReading reading) => route with
    {
        Answers = new AnswerConfig
        {
            Server = scope.Text("server_tokens", "on") switch
            {
                "off" => "nginx",
                _ => NginxVersion.Product,
            },
            MakesLocationsAbsolute = scope.Flag("absolute_redirect", true),
            UsesServerName = scope.Flag("server_name_in_redirect", false),
            NamesPort = scope.Flag("port_in_redirect", true),
            PadsPages = scope.Flag("msie_padding", true),
            RefreshesPages = scope.Flag("msie_refresh", false),
            Types = ReadTypes(scope, reading),
            DefaultType = scope.Text("default_type", "text/plain"),
            Expiry = ReadExpiry(scope),
            Trailers = [.. ReadFields(scope, "add_trailer")],
        },
        ResponseHeaders = route.ResponseHeaders.AddRange(ReadFields(scope, "add_header")),
    };

    private static DirectiveRule Flag(string name) =>
        new(name, NginxContext.HttpServerLocation) { Kind = ValueKind.Flag };

    private static DirectiveRule Number(string name) =>
        new(name, NginxContext.HttpServerLocation) { Kind = ValueKind.Number };

    private static ImmutableSortedDictionary<string, string> ReadTypes(
        NginxScope scope, HttpReading reading)
    {
        NginxDirective[] blocks = [.. scope.All("types")];
        if (blocks.Length == 0)
        {
            return FewTypes;
        }

        if (reading.Types.TryGetValue(blocks[0], out var made))
        {
            return made;
        }

        var types = ImmutableSortedDictionary.CreateBuilder<string, string>(
            StringComparer.Ordinal);
        foreach (NginxDirective line in blocks.SelectMany(block => block.Block ?? []))
        {
            foreach (string extension in line.Arguments)
            {
                types[extension.ToLowerInvariant()] = line.Name;
            }
        }

        return reading.Types[blocks[0]] = types.ToImmutable();
    }

    private static void CheckTypes(NginxDirective types, DirectiveCheck check)
    {
        var known = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (NginxDirective line in types.Block!.Value)
        {
            foreach (string extension in line.Arguments)
            {
                if (known.TryGetValue(extension, out string? before))
                {
                    check.Warn(line, $"duplicate extension \"{extension}\", content type: "
                        + $"\"{line.Name}\", previous content type: \"{before}\"");
                }

                known[extension] = line.Name;
            }
        }
    }

    private static void CheckField(NginxDirective field, DirectiveCheck check)
    {
        NginxVariables.CheckText(field, field.Arguments[1]);
        if (field.Arguments is [_, _, not "always"])
        {
            throw field.Error($"invalid parameter \"{field.Arguments[2]}\"");
        }
    }

    private static void CheckExpiry(NginxDirective expires, DirectiveCheck check)
    {
        bool isAfterChange = expires.Arguments is ["modified", _];
        string text = expires.Arguments[^1];
        if (text.Contains('$', StringComparison.Ordinal)
            && (isAfterChange || expires.Arguments.Length == 1))
        {
            NginxVariables.CheckText(expires, text);
            return;
        }

        string? problem = expires.Arguments.Length == 2 && !isAfterChange ? "invalid value"
            : isAfterChange && text.StartsWith('@')
                ? "daily time cannot be used with \"modified\" parameter"
            : Expiry.ProblemOf(text) is null ? null
            : text.StartsWith('@') && NginxValue.TryMilliseconds(text[1..], out _)
                ? "daily time value must be less than 24 hours"
            : "invalid value";
        if (problem is not null)
        {
            throw expires.Error($"\"expires\" directive {problem}");
        }
    }

    private static ExpiryConfig? ReadExpiry(NginxScope scope)
    {
        if (scope.Find("expires") is not { } expires)
        {
            return null;
        }

        return new ExpiryConfig(expires.Arguments[^1], expires.Arguments.Length == 2);
    }

    private static IEnumerable<FieldConfig> ReadFields(NginxScope scope, string name) =>
        Inherit(scope, name).Where(HasEffect).Select(field =>
            new FieldConfig(
                field.Value, field.Arguments[1], Always: field.Arguments.Length == 3));

    /// <summary>An empty field is none, but takes away what there is one of.</summary>
    private static bool HasEffect(NginxDirective field) =>
        field.Arguments[1].Length > 0
        || (field.Name == "add_header" && Routing.FieldEdit.IsValidator(field.Value));

    /// <summary>
    /// Those of a block, or where it has none, of the one around it; add_header_inherit has it that
    /// none of those count, or that all of them do, the outer ones first.
    /// </summary>
    private static NginxDirective[] Inherit(NginxScope scope, string name)
    {
        string inheritance = scope.Text($"{name}_inherit", "on");
        NginxDirective[] here = [.. scope.AllHere(name)];
        bool isWhole = inheritance == "off" || (inheritance == "on" && here.Length > 0);
        return isWhole || scope.Outer is null ? here : [.. Inherit(scope.Outer, name), .. here];
    }
}
