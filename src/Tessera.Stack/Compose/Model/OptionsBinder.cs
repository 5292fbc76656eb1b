using System.Collections.Immutable;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Model.ProjectBinder;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Model;

/// <summary>From the canonical <c>x-tessera</c> to <see cref="ServiceOptions"/>.</summary>
internal static class OptionsBinder
{
    public static ServiceOptions Bind(MappingNode? options)
    {
        if (options is null)
        {
            return ServiceOptions.Default;
        }

        ServiceOptions standard = ServiceOptions.Default;
        return standard with
        {
            Endpoints = [.. options.ItemsOf("endpoints").Select(BindEndpoint)],
            Balance = TextOf(options, "balance") is { Length: > 0 } balance
                ? balance
                : standard.Balance,
            Weights = [.. options.ItemsOf("weights")
                .Select(weight => (int)((weight as ScalarNode)?.Value as long? ?? 1))],
            FixedPort = (int?)Integer(options, "port"),
            DrainTimeout = Duration(options, "drain_timeout") ?? standard.DrainTimeout,
            StartTimeout = Duration(options, "start_timeout") ?? standard.StartTimeout,
            HoldTimeout = Duration(options, "hold_timeout") ?? standard.HoldTimeout,
            HoldQueueLength =
                (int)(Integer(options, "hold_queue") ?? standard.HoldQueueLength),
            ConnectTimeout = Duration(options, "connect_timeout") ?? standard.ConnectTimeout,
            ReadTimeout = Duration(options, "read_timeout") ?? standard.ReadTimeout,
        };
    }

    private static ExternalEndpoint BindEndpoint(Node node)
    {
        string address = TextOf(node, "address");
        (string host, int port) = TesseraOptions.ParseEndpoint(address)
            ?? throw new UserErrorException($"\"{address}\" must be host:port.");
        return new ExternalEndpoint(host, port, (int)(Integer(node as MappingNode, "weight") ?? 1));
    }
}
