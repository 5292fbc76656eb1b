using System.Collections.Immutable;
using System.Net;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Backends: those that upstream blocks name, and those that a proxy_pass names by their address.
/// </summary>
internal sealed class UpstreamModule
{
    private const NginxContext Upstream = NginxContext.Upstream;

    private readonly Dictionary<string, BackendConfig> _backends =
        new(StringComparer.OrdinalIgnoreCase);

    private readonly NginxSource _source;

    /// <param name="source">Knows hosts that are not asked for.</param>
    public UpstreamModule(NginxScope http, NginxSource source)
    {
        _source = source;
        foreach (NginxDirective upstream in http.AllHere("upstream"))
        {
            NginxScope scope = http.Within(upstream, Upstream);
            if (!_backends.TryAdd(upstream.Value, Read(upstream, scope)))
            {
                throw upstream.Error($"duplicate upstream \"{upstream.Value}\"");
            }
        }
    }

    public static DirectiveRule[] Directives { get; } =
    [
        new("upstream", NginxContext.Http)
        {
            Block = Upstream, MayRepeat = true, Check = BalanceMethod.CheckOrder,
        },
        new("server", Upstream, 1, -1) { MayRepeat = true },
        new("zone", Upstream, 1, 2) { MayRepeat = true, Check = CheckZone },
        new("state", Upstream) { HasNoEffect = true },
        new("resolver", NginxContext.HttpServerLocation | Upstream, 1, -1)
        {
            Check = (resolver, _) => ResolverSetting.Check(resolver),
        },
        new("resolver_timeout", NginxContext.HttpServerLocation | Upstream)
        {
            Kind = ValueKind.Milliseconds,
        },
        new("keepalive", Upstream, 1, 2),
        new("keepalive_requests", Upstream) { Kind = ValueKind.Number },
        new("keepalive_time", Upstream) { Kind = ValueKind.Milliseconds },
        new("keepalive_timeout", Upstream) { Kind = ValueKind.Milliseconds },
        new("queue", Upstream, 1, 2),
        new("ip_hash", Upstream, 0, 0),
        new("least_conn", Upstream, 0, 0),
        new("least_time", Upstream, 1, 2),
        new("hash", Upstream, 1, 2),
        new("hash_method", Upstream),
        new("random", Upstream, 0, 2),
        new("fair", Upstream, 0, -1),
        new("sticky", Upstream, 2, -1),
    ];

    public ImmutableArray<BackendConfig> Backends => [.. _backends.Values];

    /// <summary>The name of the backend that a proxy_pass leads to.</summary>
    public string BackendOf(PassAddress address)
    {
        // A block's name has no port; one that was written anyway would be ignored.
        if (_backends.ContainsKey(address.Name) && address.UnixPath is null)
        {
            return address.HasDefaultPort
                ? address.Name
                : throw address.Directive.Error(
                    $"upstream \"{address.Name}\" may not have port {address.Port}");
        }

        string name = address.UnixPath is null ? address.Host : address.Name;
        if (!_backends.ContainsKey(name))
        {
            EndpointConfig[] endpoints = address.UnixPath is { } path
                ? [UpstreamServer.OfPath(path)]
                :
                [
                    .. UpstreamServer
                        .Resolve(address.Directive, address.Name, address.Port, _source)
                        .Select(found => new EndpointConfig
                        {
                            Id = found.ToString(), Address = found,
                        }),
                ];
            _backends.Add(name, Finish(new BackendConfig
            {
                Name = name,
                Endpoints = [.. endpoints],
                KeepAlive = new KeepAliveConfig(0),
                LeavesFailedOut = true,
            }));
        }

        return name;
    }

    private BackendConfig Read(NginxDirective upstream, NginxScope scope)
    {
        var config = new BackendConfig
        {
            Name = upstream.Value,
            LeavesFailedOut = true,
            KeepAlive = ReadKeepAlive(scope),
        };
        config = UpstreamServer.ReadAll(
            upstream, scope, BalanceMethod.Apply(scope, config), _source,
            hasDefaultPort: true);
        if (config.Endpoints.IsEmpty && config.Names.IsEmpty)
        {
            throw upstream.AtEnd().Error("no servers are inside upstream");
        }

        if (config.Endpoints.All(endpoint => endpoint.IsBackup)
            && config.Names.All(name => name.Common.IsBackup))
        {
            throw upstream.Error($"no servers in upstream \"{upstream.Value}\"");
        }

        return Finish(config with { Limits = ReadQueue(scope) });
    }

    /// <summary>
    /// The only server there is is never left out: nothing would be left. An address that stands
    /// there twice is two servers.
    /// </summary>
    private static BackendConfig Finish(BackendConfig config)
    {
        ImmutableArray<EndpointConfig> endpoints = config.Endpoints;
        var known = new HashSet<string>(StringComparer.Ordinal);
        return config with
        {
            Endpoints = endpoints.Length == 1 && config.Names.IsEmpty
                && endpoints[0].Address is not HostEndPoint
                ? [endpoints[0] with { MaxFails = 0 }]
                :
                [
                    .. endpoints.Select((endpoint, i) =>
                        known.Add(endpoint.Id)
                            ? endpoint
                            : endpoint with { Id = $"{endpoint.Id}#{i}" }),
                ],
        };
    }

    /// <summary>The memory that nginx's workers share; here nothing needs to be shared.</summary>
    private static void CheckZone(NginxDirective zone, DirectiveCheck check)
    {
        const long MinBytes = 8 * 4_096;
        if (zone.Arguments is not [var name, var text])
        {
            return;
        }

        if (!NginxValue.TrySize(text, out long bytes))
        {
            throw zone.Error($"invalid zone size \"{text}\"");
        }

        if (bytes < MinBytes)
        {
            throw zone.Error($"zone \"{name}\" is too small");
        }
    }

    private static KeepAliveConfig ReadKeepAlive(NginxScope scope)
    {
        if (scope.FindHere("keepalive") is not { } keepAlive)
        {
            return new KeepAliveConfig(0);
        }

        bool isNumber = int.TryParse(keepAlive.Value, out int connections) && connections > 0;
        return isNumber
            ? new KeepAliveConfig(
                connections,
                Here(scope, "keepalive_requests", 1_000, NginxValue.Number),
                Here(scope, "keepalive_time", 3_600_000, NginxValue.Milliseconds),
                Here(scope, "keepalive_timeout", 60_000, NginxValue.Milliseconds))
            : throw keepAlive.Error(
                $"invalid value \"{keepAlive.Value}\" in \"keepalive\" directive");
    }

    private static BackendLimits ReadQueue(NginxScope scope)
    {
        if (scope.FindHere("queue") is not { } queue)
        {
            return new BackendLimits { HoldQueueLength = 0 };
        }

        int timeoutMs = 60_000;
        if (queue.Arguments is [_, var option])
        {
            timeoutMs = option.StartsWith("timeout=", StringComparison.Ordinal)
                ? NginxValue.Milliseconds(queue, option["timeout=".Length..])
                : throw queue.Error($"invalid parameter \"{option}\"");
        }

        return new BackendLimits
        {
            HoldQueueLength = NginxValue.Number(queue, queue.Value),
            HoldTimeoutMs = timeoutMs,
        };
    }

    /// <summary>Of this block alone: an upstream inherits nothing.</summary>
    private static int Here(
        NginxScope scope, string name, int otherwise, Func<NginxDirective, string, int> read) =>
        scope.FindHere(name) is { } directive ? read(directive, directive.Value) : otherwise;
}
