using System.Collections.Immutable;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Yaml;
using Tessera.Stack.Routing;

namespace Tessera.Stack.Compose.Model;

/// <summary>
/// From the canonical <c>routes</c> and from labels to <see cref="RouteOptions"/>.
/// </summary>
internal static class RouteBinder
{
    /// <summary>Of one service; more is a mistake.</summary>
    private const int MaxRoutes = 1_000;

    /// <param name="options">The service's <c>x-tessera</c>.</param>
    /// <param name="rules">Its rules for all routes.</param>
    public static ImmutableArray<RouteOptions> Bind(
        OptionReader options, RouteRules rules, string service, MappingNode definition)
    {
        var routes = ImmutableArray.CreateBuilder<RouteOptions>();
        foreach (MappingEntry entry in options.Node.EntriesOf("routes"))
        {
            MappingNode route = entry.Value as MappingNode ?? new(entry.Value.Position);
            routes.Add(BindRoute(entry.Key, rules, new OptionReader(
                route, $"{options.Path}.routes.{entry.Key}", options.Problems)));
        }

        foreach (RouteLabels.Labelled label in
            RouteLabels.Read(service, definition, options.Problems))
        {
            if (options.Node["routes"] is MappingNode own && own.Contains(label.Name))
            {
                options.Problems.Add(
                    label.Route.Position,
                    $"{label.Path}: {options.Path}.routes has a route of this name");
            }

            RouteOptions labelled = BindRoute(
                label.Name, rules, new OptionReader(label.Route, label.Path, options.Problems));
            routes.Add(label.SharesAddress && !labelled.Rules.Over(rules).Answers
                ? labelled with { Backend = BackendOfAddress(labelled) }
                : labelled);
        }

        if (routes.Count > MaxRoutes)
        {
            options.Refuse("routes", $"are {routes.Count}; there may be {MaxRoutes} at most");
        }

        return routes.ToImmutable();
    }

    /// <summary>Services with one address are one backend, which is named by it.</summary>
    private static string BackendOfAddress(RouteOptions route) =>
        RouteKey.Of(route).First().Trim().TrimEnd('/') is { Length: > 0 } address
            ? address
            : RouteKey.Everything;

    private static RouteOptions BindRoute(
        string name, RouteRules serviceRules, OptionReader options)
    {
        OptionReader? when = options.Section("when");
        int port = options.Number("port", 0, 1, 65_535);
        RouteRules rules = RuleBinder.Bind(options);
        return new RouteOptions
        {
            Name = name,
            Hosts = [.. options.Words("host").Select(host => BindHost(host, options))],
            Path = BindPath(options),
            Methods = [.. when?.Words("methods").Select(m => BindMethod(m, when)) ?? []],
            Headers = BindConditions(when, "headers"),
            Query = BindConditions(when, "query"),
            Port = port > 0 ? port : null,
            Backend = BindBackend(options, rules.Over(serviceRules)),
            Rules = rules,
        };
    }

    private static string? BindBackend(OptionReader options, RouteRules rules)
    {
        if (options.Text("backend") is not { } name)
        {
            return null;
        }

        if (!name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.'))
        {
            options.Refuse(
                "backend", $"must be letters, digits, \"_\", \"-\" and \".\", not \"{name}\"");
        }
        else if (rules.Answers)
        {
            options.Refuse(
                "backend", "leads nowhere: the route answers by itself (redirect, reply, files)");
            return null;
        }

        return name;
    }

    private static string BindHost(string host, OptionReader options)
    {
        if (!RouteAddress.IsHost(host))
        {
            options.Refuse("host", $"must be a host name without port, *.example.com or " +
                $"www.example.*, not \"{host}\"");
        }

        return host.TrimEnd('.').ToLowerInvariant();
    }

    private static RoutePath BindPath(OptionReader options)
    {
        if (options.Text("path") is not { } text)
        {
            return RoutePath.Any;
        }

        RoutePath path = PathSyntax.Parse(text, out string problem);
        if (problem.Length > 0)
        {
            options.Refuse("path", problem);
        }

        return path;
    }

    private static string BindMethod(string method, OptionReader when)
    {
        if (method.Length is 0 or > 32 || !method.All(c => char.IsAsciiLetter(c) || c == '-'))
        {
            when.Refuse("methods", $"has \"{method}\", which is no method");
        }

        return method.ToUpperInvariant();
    }

    /// <summary>Nothing asks that it is there; <c>~ text</c> is an expression.</summary>
    private static ImmutableArray<RouteCondition> BindConditions(OptionReader? when, string key)
    {
        var conditions = ImmutableArray.CreateBuilder<RouteCondition>();
        foreach ((string name, string value) in when?.Pairs(key) ?? [])
        {
            string? pattern = value.StartsWith("~ ", StringComparison.Ordinal)
                ? value[2..].Trim()
                : null;
            if (pattern is not null && PathSyntax.ProblemOf(pattern) is { } problem)
            {
                when!.Refuse(key, $"has {name}, which is no regular expression: {problem}");
            }

            conditions.Add(new RouteCondition(
                name, pattern is null && value.Length > 0 ? value : null, pattern));
        }

        return conditions.ToImmutable();
    }
}
