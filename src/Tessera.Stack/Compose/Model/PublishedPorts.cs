using System.Globalization;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Model;

/// <summary>
/// A public port belongs to one service. Instances of a service share it: the balancer listens, not
/// they.
/// </summary>
internal static class PublishedPorts
{
    public static void Check(MappingNode services, Problems problems)
    {
        Dictionary<(int Port, string Protocol), Claims> claims = [];
        foreach (Claim claim in services.Entries.SelectMany(ClaimsOf))
        {
            (int Port, string Protocol) key = (claim.Port, claim.Protocol);
            Claims others = claims.TryGetValue(key, out Claims? known)
                ? known
                : claims[key] = new Claims();
            if (others.FindClash(claim) is { } earlier)
            {
                string who = earlier.Service == claim.Service
                    ? $"twice by service \"{claim.Service}\""
                    : $"by service \"{earlier.Service}\" ({earlier.Position}) and by service " +
                        $"\"{claim.Service}\"";
                problems.Add(
                    claim.Position,
                    string.Create(CultureInfo.InvariantCulture,
                        $"port {claim.Port}/{claim.Protocol} is published {who}"));
            }

            others.Add(claim);
        }
    }

    private sealed record Claim(
        string Service, bool IsContainer, string HostIp, int Port, string Protocol,
        SourcePosition Position);

    /// <summary>What was claimed of one port, by address.</summary>
    private sealed class Claims
    {
        private readonly Dictionary<string, Claim> _native = new(StringComparer.Ordinal);
        private readonly Dictionary<string, Claim> _container = new(StringComparer.Ordinal);

        /// <summary>
        /// Services of containers clash with each other as well, but it is their engine that says
        /// so.
        /// </summary>
        public Claim? FindClash(Claim claim) => Find(_native, claim.HostIp)
            ?? (claim.IsContainer ? null : Find(_container, claim.HostIp));

        public void Add(Claim claim) =>
            (claim.IsContainer ? _container : _native).TryAdd(Address(claim.HostIp), claim);

        private static Claim? Find(Dictionary<string, Claim> claims, string hostIp) =>
            Address(hostIp).Length == 0 ? claims.Values.FirstOrDefault()
            : claims.GetValueOrDefault(hostIp) ?? claims.GetValueOrDefault("");

        private static string Address(string hostIp) => IsEvery(hostIp) ? "" : hostIp;
    }

    private static bool IsEvery(string address) => address is "" or "0.0.0.0" or "::";

    private static IEnumerable<Claim> ClaimsOf(MappingEntry entry)
    {
        MappingNode service = (MappingNode)entry.Value;
        foreach (Node port in service.ItemsOf("ports"))
        {
            if (PortSpec.TryPort(TextOf(port, "published"), out int published))
            {
                string protocol = TextOf(port, "protocol");
                yield return new Claim(
                    entry.Key, Checks.IsContainer(service), TextOf(port, "host_ip"), published,
                    protocol.Length > 0 ? protocol : "tcp", port.Position);
            }
        }
    }
}
