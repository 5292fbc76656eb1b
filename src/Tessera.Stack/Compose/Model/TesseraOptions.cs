using System.Globalization;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Model;

/// <summary>The values of a service's <c>x-tessera</c>.</summary>
internal static class TesseraOptions
{
    /// <summary>Weights as nginx has them; more says nothing that a ratio does not.</summary>
    public const int MaxWeight = 65_535;

    public const int MaxHoldQueueLength = 1_000_000;

    public static void Check(string service, MappingNode owner, Problems problems)
    {
        if (owner[TesseraSchema.Name] is not MappingNode options)
        {
            return;
        }

        string path = $"services.{service}.{TesseraSchema.Name}";
        foreach (Node endpoint in options.ItemsOf("endpoints"))
        {
            string address = TextOf(endpoint, "address");
            if (ParseEndpoint(address) is null)
            {
                problems.Add(
                    endpoint.Position,
                    $"{path}.endpoints: \"{address}\" must be host:port, such as 192.0.2.7:8080");
            }

            CheckWeight((endpoint as MappingNode)?["weight"], $"{path}.endpoints", problems);
        }

        foreach (Node weight in options.ItemsOf("weights"))
        {
            CheckWeight(weight, $"{path}.weights", problems);
        }

        if (options["port"] is ScalarNode { Value: < 1L or > 65_535L } port)
        {
            problems.Add(port.Position, $"{path}.port: {port.Text} is no port (1 to 65535)");
        }

        if (options["hold_queue"] is ScalarNode { Value: < 0L or > MaxHoldQueueLength } queue)
        {
            problems.Add(queue.Position, string.Create(CultureInfo.InvariantCulture,
                $"{path}.hold_queue must be 0 to {MaxHoldQueueLength}, not {queue.Text}"));
        }

        foreach (MappingEntry entry in options.Entries)
        {
            if (entry.Key.EndsWith("_timeout", StringComparison.Ordinal)
                && TextOf(entry.Value).StartsWith('-'))
            {
                problems.Add(entry.Value.Position, $"{path}.{entry.Key} must not be negative");
            }
        }
    }

    /// <summary><c>host:port</c>; an IPv6 address stands in brackets.</summary>
    public static (string Host, int Port)? ParseEndpoint(string address)
    {
        int colon = address.LastIndexOf(':');
        if (colon <= 0 || !PortSpec.TryPort(address[(colon + 1)..], out int port))
        {
            return null;
        }

        string host = address[..colon];
        bool isBracketed = host.StartsWith('[') && host.EndsWith(']');
        host = isBracketed ? host[1..^1] : host;
        UriHostNameType kind = Uri.CheckHostName(host);
        return (kind, isBracketed) is (UriHostNameType.IPv6, true)
            or (UriHostNameType.IPv4 or UriHostNameType.Dns, false)
            ? (host, port)
            : null;
    }

    private static void CheckWeight(Node? node, string path, Problems problems)
    {
        if (node is ScalarNode { Value: < 0L or > MaxWeight } weight)
        {
            problems.Add(weight.Position, string.Create(CultureInfo.InvariantCulture,
                $"{path}: a weight is 0 to {MaxWeight}, not {weight.Text}"));
        }
    }
}
