namespace Tessera.Stack.Routing;

/// <summary>
/// Which requests a route takes, as text: two routes of one listener must not have the same.
/// </summary>
public static class RouteKey
{
    /// <summary>Of a route that takes every request.</summary>
    public const string Everything = "/";

    /// <summary>One for each host: <c>GET a.example.com/api</c>.</summary>
    public static IEnumerable<string> Of(RouteOptions route)
    {
        string methods = route.Methods.IsEmpty
            ? ""
            : string.Join(',', route.Methods.Order(StringComparer.Ordinal)) + " ";
        IEnumerable<string> conditions =
        [
            .. route.Headers.Select(c => $"header {c.Name.ToLowerInvariant()}{ValueOf(c)}"),
            .. route.Query.Select(c => $"query {c.Name}{ValueOf(c)}"),
        ];
        string rest = string.Concat(
            conditions.Order(StringComparer.Ordinal).Select(condition => $" [{condition}]"));
        return route.Hosts.DefaultIfEmpty("").Distinct()
            .Select(host => $"{methods}{host}{PathOf(route.Path)}{rest}");
    }

    private static string ValueOf(RouteCondition condition) =>
        condition.Pattern is { } pattern ? $" ~ {pattern}"
        : condition.Value is { } value ? $" = {value}"
        : "";

    /// <summary>The same prefix may be written with a slash at its end and without.</summary>
    private static string PathOf(RoutePath path) => path.Kind switch
    {
        RoutePathKind.Segments => path.Text.TrimEnd('/') + "/",
        RoutePathKind.Prefix when path.Text == "/" => "/",
        _ => $" {path} ",
    };
}
