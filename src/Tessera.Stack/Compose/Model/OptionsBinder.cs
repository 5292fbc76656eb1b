using System.Collections.Immutable;
using System.Globalization;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;
using Tessera.Stack.Routing;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Model;

/// <summary>
/// From the canonical <c>x-tessera</c> of a service and its labels to <see cref="ServiceOptions"/>.
/// What is wrong with a value is a problem, and has its default then.
/// </summary>
internal static class OptionsBinder
{
    /// <summary>Weights as nginx has them; more says nothing that a ratio does not.</summary>
    public const long MaxWeight = 65_535;

    public const int MaxHoldQueueLength = 1_000_000;

    private const int MaxCount = 1_000_000_000;

    /// <param name="definition">Of the whole service, which its shape has accepted.</param>
    public static ServiceOptions Bind(string service, MappingNode definition, Problems problems)
    {
        MappingNode node = definition[TesseraSchema.Name] as MappingNode
            ?? new(definition.Position);
        OptionReader options = new(node, $"services.{service}.{TesseraSchema.Name}", problems);
        ServiceOptions standard = ServiceOptions.Default;
        RouteRules rules = RuleBinder.Bind(options);
        EndpointLimits limits = BindEndpointLimits(options, standard.EndpointLimits);
        return standard with
        {
            Endpoints = [.. options.Sections("endpoints").Select(e => BindEndpoint(e, limits))],
            Balance = options.Text("balance") ?? standard.Balance,
            HashKey = options.Template("hash_key"),
            Weights = BindWeights(options),
            EndpointLimits = limits,
            Sticky = BindSticky(options.SwitchedOn("sticky")),
            Probe = BindProbe(options.SwitchedOn("health")),
            Outlier = BindOutlier(options.SwitchedOn("outlier")),
            FixedPort = BindPort(options),
            DrainTimeout = options.Duration("drain_timeout", standard.DrainTimeout),
            StartTimeout = options.Duration("start_timeout", standard.StartTimeout),
            HoldTimeout = options.Duration("hold_timeout", standard.HoldTimeout),
            HoldQueueLength = options.Number(
                "hold_queue", standard.HoldQueueLength, 0, MaxHoldQueueLength),
            ConnectTimeout = rules.ConnectTimeout ?? standard.ConnectTimeout,
            ReadTimeout = rules.ReadTimeout ?? standard.ReadTimeout,
            SendTimeout = rules.SendTimeout ?? standard.SendTimeout,
            TunnelTimeout = rules.TunnelTimeout ?? standard.TunnelTimeout,
            Rules = rules with
            {
                ConnectTimeout = null,
                ReadTimeout = null,
                SendTimeout = null,
                TunnelTimeout = null,
            },
            Routes = RouteBinder.Bind(options, rules, service, definition),
            AccessLog = options.Section("access_log") is { } log
                ? new AccessLogOptions(
                    log.Flag(RuleSchema.Enabled, fallback: true),
                    log.Template("format") ?? "combined")
                : null,
            NginxFiles = [.. node.ItemsOf("nginx").Select(TextOf)],
        };
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

    private static ExternalEndpoint BindEndpoint(OptionReader options, EndpointLimits service)
    {
        // Messages name the list: an address says more than its number.
        string path = options.Path[..options.Path.LastIndexOf('[')];
        string address = options.Text("address") ?? "";
        if (ParseEndpoint(address) is not { } parsed)
        {
            options.Problems.Add(
                options.Node.Position,
                $"{path}: \"{address}\" must be host:port, such as 192.0.2.7:8080");
            parsed = ("0.0.0.0", 1);
        }

        EndpointLimits limits = BindEndpointLimits(options, service);
        return new ExternalEndpoint(
            parsed.Host, parsed.Port, WeightOf(options.Node["weight"], path, options.Problems))
        {
            IsBackup = options.Flag("backup", fallback: false),
            IsDown = options.Flag("down", fallback: false),
            Limits = limits == service ? null : limits,
        };
    }

    private static EndpointLimits BindEndpointLimits(
        OptionReader options, EndpointLimits standard) => new()
        {
            MaxConnections = options.Number("max_conns", standard.MaxConnections, 0, MaxCount),
            MaxFails = options.Node["max_fails"] is null
                ? standard.MaxFails
                : options.Number("max_fails", standard.MaxFails ?? 1, 0, MaxCount),
            FailTimeout = options.Duration("fail_timeout", standard.FailTimeout),
            SlowStart = options.Duration("slow_start", standard.SlowStart),
        };

    private static ImmutableArray<int> BindWeights(OptionReader options) =>
        [.. options.Node.ItemsOf("weights")
            .Select(weight => WeightOf(weight, $"{options.Path}.weights", options.Problems))];

    private static int WeightOf(Node? node, string path, Problems problems)
    {
        if (node is ScalarNode { Value: < 0L or > MaxWeight } weight)
        {
            problems.Add(weight.Position, string.Create(CultureInfo.InvariantCulture,
                $"{path}: a weight is 0 to {MaxWeight}, not {weight.Text}"));
            return 1;
        }

        return (int)((node as ScalarNode)?.Value as long? ?? 1);
    }

    private static int? BindPort(OptionReader options)
    {
        if (options.Node["port"] is ScalarNode { Value: < 1L or > 65_535L } port)
        {
            options.Problems.Add(
                port.Position, $"{options.Path}.port: {port.Text} is no port (1 to 65535)");
            return null;
        }

        return (int?)((options.Node["port"] as ScalarNode)?.Value as long?);
    }

    private static StickyOptions? BindSticky(OptionReader? options)
    {
        if (options is null)
        {
            return null;
        }

        StickyOptions standard = new();
        string name = options.Text("name") ?? standard.Name;
        string path = options.Text("path") ?? standard.Path;
        if (!name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.'))
        {
            options.Refuse(
                "name", $"must be letters, digits, \"_\", \"-\" and \".\", not \"{name}\"");
        }

        if (path[0] != '/' || path.Any(c => c is ';' or ',' || !char.IsAscii(c) || c <= ' '))
        {
            options.Refuse("path", $"must be a path, not \"{path}\"");
        }

        return new StickyOptions
        {
            Name = name,
            Path = path,
            Lifetime = options.Duration("lifetime", standard.Lifetime),
            IsSecure = options.Flag("secure", fallback: false),
        };
    }

    private static ProbeOptions? BindProbe(OptionReader? options)
    {
        if (options is null)
        {
            return null;
        }

        ProbeOptions standard = new();
        (int min, int max) = BindStatus(options, standard);
        string path = options.Text("path") ?? standard.Path;
        if (path[0] != '/' || path.Any(c => !char.IsAscii(c) || c <= ' '))
        {
            options.Refuse("path", $"must begin with \"/\" and have no spaces, not \"{path}\"");
        }

        if (options.Text("host") is { } host && host.Any(c => !char.IsAscii(c) || c <= ' '))
        {
            options.Refuse("host", $"must be a host name, not \"{host}\"");
        }

        return new ProbeOptions
        {
            IsHttp = options.Text("type") != "tcp",
            Path = path,
            Host = options.Text("host"),
            MinStatus = min,
            MaxStatus = max,
            BodyContains = options.Text("body"),
            Interval = options.DurationFrom("interval", TimeSpan.FromMilliseconds(100))
                ?? standard.Interval,
            Timeout = options.DurationFrom("timeout", TimeSpan.FromMilliseconds(1))
                ?? standard.Timeout,
            Rises = options.Number("rises", standard.Rises, 1, 1_000),
            Falls = options.Number("falls", standard.Falls, 1, 1_000),
            MinHealthyPercent =
                options.Number("min_healthy", standard.MinHealthyPercent, 0, 100),
        };
    }

    /// <summary><c>200</c> or <c>200-399</c>.</summary>
    private static (int Min, int Max) BindStatus(OptionReader options, ProbeOptions standard)
    {
        if (options.Text("status") is not { } text)
        {
            return (standard.MinStatus, standard.MaxStatus);
        }

        if (PortSpec.TryRange(text, out int min, out int max) && min >= 100 && max <= 599)
        {
            return (min, max);
        }

        options.Refuse("status", $"must be a status or a range such as 200-399, not \"{text}\"");
        return (standard.MinStatus, standard.MaxStatus);
    }

    private static OutlierOptions? BindOutlier(OptionReader? options)
    {
        OutlierOptions standard = new();
        return options is null ? null : new OutlierOptions
        {
            ConsecutiveFailures = options.Number(
                "consecutive_failures", standard.ConsecutiveFailures, 0, MaxCount),
            FailurePercent =
                options.Number("failure_percent", standard.FailurePercent, 0, 100),
            MinRequests = options.Number("min_requests", standard.MinRequests, 1, MaxCount),
            Window = options.DurationFrom("window", TimeSpan.FromSeconds(1)) ?? standard.Window,
            Ejection = options.DurationFrom("ejection", TimeSpan.FromMilliseconds(100))
                ?? standard.Ejection,
            MaxEjectedPercent =
                options.Number("max_ejected", standard.MaxEjectedPercent, 0, 100),
        };
    }
}
