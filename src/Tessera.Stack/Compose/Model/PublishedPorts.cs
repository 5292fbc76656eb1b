using System.Collections.Immutable;
using System.Globalization;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;
using Tessera.Stack.Routing;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Model;

/// <summary>
/// Each request to a public port belongs to one service, or to several behind one backend. Services
/// share a port when their routes tell them apart; instances of a service always do: the balancer
/// listens, not they.
/// </summary>
internal static class PublishedPorts
{
    public static void Check(MappingNode document, Problems problems)
    {
        MappingNode services = (MappingNode)document["services"]!;
        (string HostIp, int Port)[] entries = [.. CheckListen(document, problems)];
        Dictionary<(int Port, string Protocol), List<Claim>> claims = [];
        foreach (Claim claim in services.Entries.SelectMany(entry => ClaimsOf(entry, entries)))
        {
            (int Port, string Protocol) key = (claim.Port, claim.Protocol);
            List<Claim> others = claims.TryGetValue(key, out List<Claim>? known)
                ? known
                : claims[key] = [];
            if (others.Find(claim.ClashesWith) is { } earlier)
            {
                problems.Add(claim.Position, Describe(earlier, claim));
            }

            others.Add(claim);
        }
    }

    private static string Describe(Claim earlier, Claim claim)
    {
        string port = string.Create(
            CultureInfo.InvariantCulture, $"port {claim.Port}/{claim.Protocol}");
        if (earlier.Service == claim.Service)
        {
            return $"{port} is published twice by service \"{claim.Service}\"";
        }

        string who = $"by service \"{earlier.Service}\" ({earlier.Position}) and by service " +
            $"\"{claim.Service}\"";
        string? key = claim.KeysTakenBy(earlier).FirstOrDefault();
        return !claim.MayShareWith(earlier) || key is null ? $"{port} is published {who}"
            : key == RouteKey.Everything
                ? $"{port} is published {who}; give them routes that differ (x-tessera.routes)"
            : $"{port}: requests to {key.Trim()} are claimed {who}";
    }

    /// <summary>The addresses of <c>x-tessera.listen</c>, for routes that no port serves.</summary>
    private static IEnumerable<(string HostIp, int Port)> CheckListen(
        MappingNode document, Problems problems)
    {
        IReadOnlyList<Node> listen =
            (document[TesseraSchema.Name] as MappingNode)?.ItemsOf("listen") ?? [];
        foreach (Node node in listen)
        {
            IReadOnlyList<PortSpec> specs = PortSpec.Parse(TextOf(node) + ":1", out _);
            if (specs is [{ Protocol: "tcp" } spec]
                && PortSpec.TryPort(spec.Published, out int port))
            {
                yield return (spec.HostIp, port);
            }
            else
            {
                problems.Add(
                    node.Position,
                    $"{TesseraSchema.Name}.listen: \"{TextOf(node)}\" must be a port or " +
                    "address:port");
            }
        }

        if (listen.Count == 0 && PortSpec.TryPort(Project.DefaultListen, out int standard))
        {
            yield return ("", standard);
        }
    }

    private static IEnumerable<Claim> ClaimsOf(
        MappingEntry entry, (string HostIp, int Port)[] entries)
    {
        MappingNode service = (MappingNode)entry.Value;
        bool isContainer = Checks.IsContainer(service);
        ImmutableArray<RouteOptions> routes =
            OptionsBinder.Bind(entry.Key, service, new Problems()).Routes;
        int first = FirstTarget(service, routes);
        var served = new HashSet<int>();
        foreach (Node port in service.ItemsOf("ports"))
        {
            if (!PortSpec.TryPort(TextOf(port, "published"), out int published))
            {
                continue;
            }

            PortSpec.TryPort(TextOf(port, "target"), out int target);
            RouteOptions[] own = [.. routes.Where(route => (route.Port ?? first) == target)];
            served.Add(own.Length > 0 ? target : -1);
            string protocol = TextOf(port, "protocol");
            yield return new Claim(
                entry.Key, isContainer, TextOf(port, "host_ip"), published,
                protocol.Length > 0 ? protocol : "tcp",
                TextOf(port, "app_protocol") == "tcp",
                KeysOf(own), port.Position);
        }

        RouteOptions[] left = [.. routes.Where(r => !served.Contains(r.Port ?? first))];
        foreach ((string hostIp, int port) in left.Length > 0 && !isContainer ? entries : [])
        {
            yield return new Claim(
                entry.Key, false, hostIp, port, "tcp", false, KeysOf(left), entry.KeyPosition);
        }
    }

    /// <summary>With the backend that each names, if any.</summary>
    private static Dictionary<string, string?> KeysOf(RouteOptions[] routes)
    {
        Dictionary<string, string?> keys = new(StringComparer.Ordinal);
        foreach (RouteOptions route in routes.DefaultIfEmpty(RouteOptions.Everything))
        {
            foreach (string key in RouteKey.Of(route))
            {
                keys.TryAdd(key, route.Backend);
            }
        }

        return keys;
    }

    /// <summary>Where routes lead that name no port.</summary>
    public static int FirstTarget(MappingNode service, ImmutableArray<RouteOptions> routes)
    {
        IEnumerable<string> named = service.ItemsOf("ports").Select(port => TextOf(port, "target"))
            .Concat(service.ItemsOf("expose").Select(port => TextOf(port).Split('/', '-')[0]));
        return PortSpec.TryPort(named.FirstOrDefault() ?? "", out int port)
            ? port
            : routes.Select(route => route.Port).FirstOrDefault(p => p is not null) ?? 0;
    }

    private sealed record Claim(
        string Service, bool IsContainer, string HostIp, int Port, string Protocol, bool IsRaw,
        Dictionary<string, string?> Keys, SourcePosition Position)
    {
        private string Address => HostIp is "0.0.0.0" or "::" ? "" : HostIp;

        /// <summary>
        /// Services of containers clash with each other as well, but it is their engine that says
        /// so.
        /// </summary>
        public bool ClashesWith(Claim earlier)
        {
            bool overlaps = Address == earlier.Address
                || Address.Length == 0 || earlier.Address.Length == 0;
            return overlaps
                && !(IsContainer && earlier.IsContainer)
                && !(MayShareWith(earlier) && !KeysTakenBy(earlier).Any());
        }

        /// <summary>Requests that both want, and not for one backend.</summary>
        public IEnumerable<string> KeysTakenBy(Claim earlier) =>
            from own in Keys
            where earlier.Keys.TryGetValue(own.Key, out string? backend)
                && (backend is null || backend != own.Value)
            select own.Key;

        /// <summary>One listener serves both, and reads what tells them apart.</summary>
        public bool MayShareWith(Claim earlier) => Service != earlier.Service
            && !IsContainer && !earlier.IsContainer
            && Address == earlier.Address
            && Protocol == "tcp" && !IsRaw && !earlier.IsRaw;
    }
}
