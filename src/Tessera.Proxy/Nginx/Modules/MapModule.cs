using System.Collections.Immutable;
using System.Globalization;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Variables that are looked up: ngx_http_map_module and ngx_http_split_clients_module. Stateless.
/// </summary>
internal static class MapModule
{
    private const int AllParts = 10_000;

    public static DirectiveRule[] Directives { get; } =
    [
        new("map", NginxContext.Http, 2, 2) { HasLines = true, MayRepeat = true },
        new("map_hash_max_size", NginxContext.Http)
        {
            Kind = ValueKind.Number, HasNoEffect = true,
        },
        new("map_hash_bucket_size", NginxContext.Http)
        {
            Kind = ValueKind.Number, HasNoEffect = true,
        },
        new("split_clients", NginxContext.Http, 2, 2) { HasLines = true, MayRepeat = true },
    ];

    /// <summary>Defines the variables of an http block.</summary>
    public static void Read(NginxScope http, NginxVariables variables)
    {
        foreach (NginxDirective directive in http.Directives)
        {
            switch (directive.Name)
            {
                case "map":
                    variables.Define(directive, ReadMap(directive, variables));
                    break;
                case "split_clients":
                    variables.Define(directive, ReadSplit(directive));
                    break;
                default:
                    break;
            }
        }
    }

    private static MapConfig ReadMap(NginxDirective map, NginxVariables variables)
    {
        NginxVariables.CheckText(map, map.Value);
        string name = NginxVariables.NameOf(map, map.Arguments[1]);
        var entries = ImmutableArray.CreateBuilder<MapEntry>();
        var known = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        string? otherwise = null;
        bool hasHostNames = false;
        bool isVolatile = false;
        foreach (NginxDirective line in map.Block!.Value)
        {
            if (line.Arguments.IsEmpty && line.Name is "hostnames" or "volatile")
            {
                hasHostNames |= line.Name == "hostnames";
                isVolatile |= line.Name == "volatile";
                continue;
            }

            if (line.Arguments.Length != 1)
            {
                throw line.Error("invalid number of the map parameters");
            }

            NginxVariables.CheckText(line, line.Value);
            if (line.Name == "default")
            {
                otherwise = otherwise is null
                    ? line.Value
                    : throw line.Error("duplicate default map parameter");
                continue;
            }

            MapEntry entry = ReadEntry(line, variables, known);
            bool isMask = hasHostNames && !entry.IsLiteral && !entry.Key.StartsWith('~');
            entries.Add(isMask && !IsHostName(entry.Key)
                ? throw line.Error($"invalid hostname or wildcard \"{entry.Key}\"")
                : entry);
        }

        return new MapConfig(
            name, map.Value, entries.ToImmutable(), otherwise ?? "", hasHostNames, isVolatile);
    }

    private static MapEntry ReadEntry(
        NginxDirective line, NginxVariables variables, HashSet<string> known)
    {
        if (line.Name.StartsWith('~'))
        {
            bool ignoresCase = line.Name.StartsWith("~*", StringComparison.Ordinal);
            variables.CheckExpression(line, line.Name[(ignoresCase ? 2 : 1)..]);
            return new MapEntry(line.Name, line.Value);
        }

        bool isLiteral = line.Name.StartsWith('\\');
        string key = isLiteral ? line.Name[1..] : line.Name;
        return known.Add(key)
            ? new MapEntry(key, line.Value, isLiteral)
            : throw line.Error($"conflicting parameter \"{key}\"");
    }

    /// <summary>At most one star, as the first label or the last one (ngx_hash_add_key).</summary>
    private static bool IsHostName(string name)
    {
        ReadOnlySpan<char> rest = name.StartsWith("*.", StringComparison.Ordinal) ? name.AsSpan(2)
            : name.EndsWith(".*", StringComparison.Ordinal) ? name.AsSpan(0, name.Length - 2)
            : name;
        return !rest.Contains('*') && !name.Contains("..", StringComparison.Ordinal);
    }

    private static SplitConfig ReadSplit(NginxDirective split)
    {
        NginxVariables.CheckText(split, split.Value);
        string name = NginxVariables.NameOf(split, split.Arguments[1]);
        var parts = ImmutableArray.CreateBuilder<SplitPart>();
        int sum = 0;
        foreach (NginxDirective line in split.Block!.Value)
        {
            int percent = line.Name == "*" ? 0 : ReadPercent(line);
            if (line.Arguments.Length != 1)
            {
                throw line.Error("invalid number of arguments in \"split_clients\" directive");
            }

            sum = percent > 0 ? sum + percent : AllParts;
            parts.Add(new SplitPart(percent, line.Value));
        }

        return sum > AllParts
            ? throw split.Error("percent total is greater than 100%")
            : new SplitConfig(name, split.Value, parts.ToImmutable());
    }

    private static int ReadPercent(NginxDirective line)
    {
        string text = line.Name;
        bool isPercent = text.EndsWith('%')
            && decimal.TryParse(
                text[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture,
                out decimal percent)
            && percent > 0 && percent <= 100 && decimal.Round(percent, 2) == percent;
        return isPercent
            ? (int)(decimal.Parse(text[..^1], CultureInfo.InvariantCulture) * 100)
            : throw line.Error($"invalid percent value \"{text}\"");
    }
}
