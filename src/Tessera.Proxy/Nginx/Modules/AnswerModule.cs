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
        new("server_tokens", NginxContext.HttpServerLocation),
        Flag("absolute_redirect"), Flag("server_name_in_redirect"), Flag("port_in_redirect"),
        Flag("msie_padding"), Flag("msie_refresh"),
        new("default_type", NginxContext.HttpServerLocation),
        new("types", NginxContext.HttpServerLocation, 0, 0) { HasLines = true, MayRepeat = true },
        Number("types_hash_max_size"), Number("types_hash_bucket_size"),
        new("add_header", NginxContext.HttpServerLocationIf, 2, 3) { MayRepeat = true },
        new("add_trailer", NginxContext.HttpServerLocationIf, 2, 3) { MayRepeat = true },
        new("add_header_inherit", NginxContext.HttpServerLocation) { Choices = Inheritance },
        new("add_trailer_inherit", NginxContext.HttpServerLocation) { Choices = Inheritance },
        new("expires", NginxContext.HttpServerLocationIf, 1, 2),
    ];

    public static RouteConfig Apply(
        NginxScope scope, RouteConfig route, HttpReading reading) => route with
    {
        Answers = new AnswerConfig
        {
            Server = scope.Text("server_tokens", "on") switch
            {
                "on" or "build" => NginxVersion.Product,
                "off" => "nginx",
                var text => text,
            },
            MakesLocationsAbsolute = scope.Flag("absolute_redirect", true),
            UsesServerName = scope.Flag("server_name_in_redirect", false),
            NamesPort = scope.Flag("port_in_redirect", true),
            PadsPages = scope.Flag("msie_padding", true),
            RefreshesPages = scope.Flag("msie_refresh", false),
            Types = ReadTypes(scope),
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

    private static ImmutableSortedDictionary<string, string> ReadTypes(NginxScope scope)
    {
        NginxDirective[] blocks = [.. scope.All("types")];
        if (blocks.Length == 0)
        {
            return FewTypes;
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

        return types.ToImmutable();
    }

    private static ExpiryConfig? ReadExpiry(NginxScope scope)
    {
        if (scope.Find("expires") is not { } expires)
        {
            return null;
        }

        bool isAfterChange = expires.Arguments is ["modified", _];
        if (expires.Arguments.Length == 2 && !isAfterChange)
        {
            throw expires.Error("invalid value");
        }

        string text = expires.Arguments[^1];
        if (!text.Contains('$', StringComparison.Ordinal)
            && (Expiry.ProblemOf(text) is not null || (isAfterChange && text.StartsWith('@'))))
        {
            throw expires.Error("invalid value");
        }

        return new ExpiryConfig(text, isAfterChange);
    }

    private static IEnumerable<FieldConfig> ReadFields(NginxScope scope, string name) =>
        Inherit(scope, name).Where(HasEffect).Select(field =>
            new FieldConfig(field.Value, field.Arguments[1], Always: field.Arguments switch
            {
                [_, _] => false,
                [_, _, "always"] => true,
                _ => throw field.Error($"invalid parameter \"{field.Arguments[2]}\""),
            }));

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
