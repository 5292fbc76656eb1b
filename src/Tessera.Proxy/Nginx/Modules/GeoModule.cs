using System.Collections.Immutable;
using System.Net;
using Tessera.Proxy.Access;

namespace Tessera.Proxy.Nginx;

/// <summary>ngx_http_geo_module: variables by the client's address. Stateless.</summary>
internal static class GeoModule
{
    public static DirectiveRule[] Directives { get; } =
    [
        new("geo", NginxContext.Http, 1, 2) { HasLines = true, MayRepeat = true },
    ];

    /// <summary>Defines the variables of an http block.</summary>
    public static void Read(
        NginxScope http, NginxVariables variables, Action<string> warn)
    {
        foreach (NginxDirective directive in http.AllHere("geo"))
        {
            variables.Define(directive, ReadGeo(directive, warn));
        }
    }

    private static GeoConfig ReadGeo(NginxDirective geo, Action<string> warn)
    {
        string source = geo.Arguments.Length > 1 ? geo.Value : "";
        if (source.Length > 0)
        {
            NginxVariables.NameOf(geo, source);
        }

        string name = NginxVariables.NameOf(geo, geo.Arguments[^1]);
        var ranges = new Dictionary<(UInt128, UInt128), string>();
        var proxies = ImmutableArray.CreateBuilder<AddressRule>();
        string otherwise = "";
        bool hasRanges = false;
        bool isRecursive = false;
        foreach (NginxDirective line in geo.Block!.Value)
        {
            switch (line.Name)
            {
                case "ranges" when line.Arguments.IsEmpty:
                    hasRanges = ranges.Count == 0
                        ? true
                        : throw line.Error("the \"ranges\" directive must be the first directive "
                            + "inside \"geo\" block");
                    continue;
                case "proxy_recursive" when line.Arguments.IsEmpty:
                    isRecursive = true;
                    continue;
            }

            if (line.Arguments.Length != 1)
            {
                throw line.Error("invalid number of the geo parameters");
            }

            switch (line.Name)
            {
                case "default":
                    otherwise = line.Value;
                    break;
                case "proxy":
                    proxies.Add(new AddressRule(true, NetworkText.Read(line, line.Value)));
                    break;
                case "delete":
                    if (!ranges.Remove(ReadRange(line, line.Value, hasRanges)))
                    {
                        warn(line.Error($"no network \"{line.Value}\" to delete").Message);
                    }

                    break;
                default:
                    Add(ranges, line, hasRanges, warn);
                    break;
            }
        }

        return new GeoConfig(
            name, source,
            [.. ranges.Select(range => new GeoRange(
                range.Key.Item1, range.Key.Item2, range.Value))],
            otherwise, proxies.ToImmutable(), isRecursive);
    }

    private static void Add(
        Dictionary<(UInt128, UInt128), string> ranges, NginxDirective line, bool hasRanges,
        Action<string> warn)
    {
        (UInt128, UInt128) range = ReadRange(line, line.Name, hasRanges);
        if (!hasRanges)
        {
            NetworkText.WarnOfLowBits(line, line.Name, warn);
            if (ranges.TryGetValue(range, out string? before))
            {
                warn(line.Error($"duplicate network \"{line.Name}\", value: \"{line.Value}\", "
                    + $"old value: \"{before}\"").Message);
            }
        }

        ranges[range] = line.Value;
    }

    private static (UInt128 First, UInt128 Last) ReadRange(
        NginxDirective line, string text, bool isRange)
    {
        if (!isRange)
        {
            return NetworkText.RangeOf(NetworkText.Read(line, text));
        }

        string[] ends = text.Split('-', 2);
        return ends.Length == 2 && IPAddress.TryParse(ends[0], out IPAddress? first)
            && IPAddress.TryParse(ends[1], out IPAddress? last)
            && AddressText.Of(first) <= AddressText.Of(last)
                ? (AddressText.Of(first), AddressText.Of(last))
                : throw line.Error($"invalid range \"{text}\"");
    }
}
