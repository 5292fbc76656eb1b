using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Servers of a stream block: ngx_stream_core_module and its small neighbours. Stateless.
/// </summary>
internal static class StreamModule
{
    private const NginxContext Any = NginxContext.Stream | NginxContext.StreamServer;

    public static DirectiveRule[] Directives { get; } =
    [
        new("stream", NginxContext.Main, 0, 0) { Block = NginxContext.Stream },
        new("server", NginxContext.Stream, 0, 0)
        {
            Block = NginxContext.StreamServer, MayRepeat = true,
        },
        new("listen", NginxContext.StreamServer, 1, -1) { MayRepeat = true },
        new("tcp_nodelay", Any) { Kind = ValueKind.Flag, HasNoEffect = true },
        new("preread_buffer_size", Any) { Kind = ValueKind.Size },
        new("preread_timeout", Any) { Kind = ValueKind.Milliseconds },
        new("proxy_protocol_timeout", Any) { Kind = ValueKind.Milliseconds },
        new("ssl_preread", Any) { Kind = ValueKind.Flag },
        new("return", NginxContext.StreamServer),
        new("allow", Any) { MayRepeat = true, Check = NetworkText.CheckRule },
        new("deny", Any) { MayRepeat = true, Check = NetworkText.CheckRule },
        new("limit_conn_zone", NginxContext.Stream, 2, 2) { MayRepeat = true },
        new("limit_conn", Any, 2, 2) { MayRepeat = true },
        new("limit_conn_log_level", Any) { Choices = ["info", "notice", "warn", "error"] },
        new("limit_conn_dry_run", Any) { Kind = ValueKind.Flag },
        new("variables_hash_max_size", NginxContext.Stream)
        {
            Kind = ValueKind.Number, HasNoEffect = true,
        },
        new("variables_hash_bucket_size", NginxContext.Stream)
        {
            Kind = ValueKind.Number, HasNoEffect = true,
        },
        new("map", NginxContext.Stream, 2, 2) { HasLines = true, MayRepeat = true },
        new("split_clients", NginxContext.Stream, 2, 2) { HasLines = true, MayRepeat = true },
        new("geo", NginxContext.Stream, 1, 2) { HasLines = true, MayRepeat = true },
        new("set", NginxContext.StreamServer, 2, 2) { MayRepeat = true },
        new("set_real_ip_from", Any) { MayRepeat = true, Check = NetworkText.CheckTrusted },
        new("map_hash_max_size", NginxContext.Stream)
        {
            Kind = ValueKind.Number, HasNoEffect = true,
        },
        new("map_hash_bucket_size", NginxContext.Stream)
        {
            Kind = ValueKind.Number, HasNoEffect = true,
        },
    ];

    /// <summary>What the stream block adds to a configuration.</summary>
    /// <param name="warn">Told what is odd and still can be used.</param>
    public static ProxyConfig Read(NginxScope main, NginxFiles files, Action<string> warn)
    {
        if (main.FindHere("stream") is not { } directive)
        {
            return ProxyConfig.Empty;
        }

        NginxScope stream = main.Within(directive, NginxContext.Stream);
        var upstreams = new StreamUpstreams(stream, files.Source);
        var variables = new NginxVariables();
        MapModule.Read(stream, variables);
        GeoModule.Read(stream, variables, warn);
        var listeners = new Dictionary<IPEndPoint, ListenerConfig>();
        var datagrams = new Dictionary<IPEndPoint, ListenerConfig>();
        foreach (NginxDirective block in stream.AllHere("server"))
        {
            NginxScope server = stream.Within(block, NginxContext.StreamServer);
            RouteConfig route = ReadServer(block, server, upstreams, variables);
            foreach (StreamListen listen in ReadListens(block, server))
            {
                var listener = new ListenerConfig
                {
                    Address = listen.Address,
                    Protocol = ListenerProtocol.Tcp,
                    Sockets = listen.Sockets,
                    Routes =
                    [
                        route with
                        {
                            Name = $"stream {listen.Address}",
                            AccessLogs = ReadAccessLogs(server, files),
                            ErrorLogs = LogModule.ReadErrorLogs(server, files),
                            Stream = route.Stream! with
                            {
                                ExpectsProxyProtocol = listen.HasProxyProtocol,
                            },
                        },
                    ],
                };
                if (!(listen.IsDatagram ? datagrams : listeners)
                    .TryAdd(listen.Address, listener))
                {
                    throw listen.Directive.Error(
                        $"duplicate \"{listen.Address}\" address and port pair");
                }
            }
        }

        var config = new ProxyConfig
        {
            Listeners = [.. listeners.Values],
            DatagramListeners = [.. datagrams.Values],
            Backends = upstreams.Backends,
            Variables = variables.All,
        };
        CheckVariables(config);
        return config;
    }

    /// <summary>nginx looks for them at the end, and names no line.</summary>
    private static void CheckVariables(ProxyConfig config)
    {
        try
        {
            using VariableScope.Entered scope = new VariableScope(config.Variables).Enter();
            var none = new Dictionary<string, Backend>();
            foreach (ListenerConfig listener in
                config.Listeners.Concat(config.DatagramListeners))
            {
                _ = new StreamRule(listener.Routes[0].Stream!, none);
                foreach (AccessLogConfig log in listener.Routes[0].AccessLogs)
                {
                    AccessLogFormat.Parse(log);
                }
            }

            foreach (BackendConfig backend in config.Backends)
            {
                Template.Parse(backend.HashKey);
            }
        }
        catch (UnknownVariableException unknown)
        {
            throw new NginxConfigException($"unknown \"{unknown.Name}\" variable");
        }
        catch (Exception fault) when (fault is FormatException or ArgumentException)
        {
            throw new NginxConfigException(fault.Message);
        }
    }

    private static StreamListen[] ReadListens(NginxDirective block, NginxScope server)
    {
        StreamListen[] listens = [.. server.AllHere("listen").SelectMany(StreamListen.Read)];
        return listens.Length > 0
            ? listens
            : throw block.Error("no \"listen\" is defined for server");
    }

    private static RouteConfig ReadServer(
        NginxDirective block, NginxScope server, StreamUpstreams upstreams,
        NginxVariables variables)
    {
        RouteConfig route = new()
        {
            Access = ReadAccess(server),
            Flow = ReadConnectionLimits(server),
            Stream = new StreamConfig
            {
                Variables = [.. server.AllHere("set").Select(set => ReadSet(set, variables))],
                ProxyProtocolTimeoutMs = server.Milliseconds("proxy_protocol_timeout", 30_000),
                TrustedProxies =
                [
                    .. server.All("set_real_ip_from").SelectMany(ReadTrusted),
                ],
                ReadsClientHello = server.Flag("ssl_preread", false),
                PrereadBytes = (int)Math.Clamp(
                    server.Size("preread_buffer_size", 16_384), 1, int.MaxValue),
                PrereadTimeoutMs = server.Milliseconds("preread_timeout", 30_000),
            },
        };
        if (server.FindHere("return") is { } reply)
        {
            return route with { Stream = route.Stream with { Reply = reply.Value } };
        }

        return StreamProxyModule.TryRead(server, route, upstreams)
            ?? throw block.Error("no handler for server");
    }

    private static SetStep ReadSet(NginxDirective set, NginxVariables variables)
    {
        string name = NginxVariables.NameOf(set, set.Value);
        variables.DefineSettable(set, name);
        NginxVariables.CheckText(set, set.Arguments[1]);
        return new SetStep(name, set.Arguments[1]);
    }

    private static IEnumerable<AddressRule> ReadTrusted(NginxDirective trusted)
    {
        string text = trusted.Value;
        if (IPNetwork.TryParse(text, out IPNetwork network))
        {
            return [new AddressRule(IsAllowed: true, network)];
        }

        if (text == "unix:")
        {
            return [new AddressRule(IsAllowed: true, Network: null) { IsUnix = true }];
        }

        try
        {
            IPAddress[] found = IPAddress.TryParse(text, out IPAddress? address)
                ? [address]
                : Dns.GetHostAddresses(text);
            return found.Select(one => new AddressRule(
                IsAllowed: true, new IPNetwork(one, one.GetAddressBytes().Length * 8)));
        }
        catch (SocketException)
        {
            throw trusted.Error($"host not found in set_real_ip_from \"{text}\"");
        }
    }

    private static AccessConfig? ReadAccess(NginxScope server)
    {
        // The innermost block that has any of the two has them all, in their order.
        NginxScope? scope = server;
        while (scope is not null
            && scope.FindHere("allow") is null && scope.FindHere("deny") is null)
        {
            scope = scope.Outer;
        }

        return scope is null
            ? null
            : new AccessConfig
            {
                Addresses =
                [
                    .. scope.Directives.Where(rule => rule.Name is "allow" or "deny")
                        .Select(ReadRule),
                ],
            };
    }

    private static AddressRule ReadRule(NginxDirective rule)
    {
        string text = rule.Value;
        bool isAllowed = rule.Name == "allow";
        if (text == "all")
        {
            return new AddressRule(isAllowed, Network: null);
        }

        if (text == "unix:")
        {
            return new AddressRule(isAllowed, Network: null) { IsUnix = true };
        }

        if (IPNetwork.TryParse(text, out IPNetwork network))
        {
            return new AddressRule(isAllowed, network);
        }

        return IPAddress.TryParse(text, out IPAddress? address)
            ? new AddressRule(
                isAllowed, new IPNetwork(address, address.GetAddressBytes().Length * 8))
            : throw rule.Error($"invalid parameter \"{text}\"");
    }

    private static FlowConfig? ReadConnectionLimits(NginxScope server)
    {
        ImmutableArray<ConnectionLimitConfig> limits =
            [.. server.All("limit_conn").Select(limit => ReadLimit(limit, server))];
        return limits.IsEmpty ? null : new FlowConfig { ConnectionLimits = limits };
    }

    private static ConnectionLimitConfig ReadLimit(NginxDirective limit, NginxScope server)
    {
        NginxDirective zone = server.All("limit_conn_zone").FirstOrDefault(
            z => ZoneName(z) == limit.Value)
            ?? throw limit.Error($"zero size shared memory zone \"{limit.Value}\"");
        if (!int.TryParse(limit.Arguments[1], out int max) || max <= 0)
        {
            throw limit.Error($"invalid number of connections \"{limit.Arguments[1]}\"");
        }

        return new ConnectionLimitConfig
        {
            Zone = limit.Value,
            Key = zone.Value,
            LogLevel = server.Text("limit_conn_log_level", "error") switch
            {
                "info" => ErrorLevel.Information,
                "notice" => ErrorLevel.Notice,
                "warn" => ErrorLevel.Warning,
                _ => ErrorLevel.Error,
            },
            Max = Math.Min(max, 65_535),
        };
    }

    private static string ZoneName(NginxDirective zone) =>
        zone.Arguments[1].StartsWith("zone=", StringComparison.Ordinal)
            ? zone.Arguments[1]["zone=".Length..].Split(':')[0]
            : throw zone.Error($"invalid parameter \"{zone.Arguments[1]}\"");

    /// <summary>Unlike in an http block nothing is logged, or formatted, by default.</summary>
    private static ImmutableArray<AccessLogConfig> ReadAccessLogs(
        NginxScope server, NginxFiles files)
    {
        if (server.All("access_log").FirstOrDefault(
            log => log is { Value: not "off", Arguments.Length: 1 }) is { } bare)
        {
            throw bare.Error("log format is not specified");
        }

        return server.Find("access_log") is null ? [] : LogModule.ReadAccessLogs(server, files);
    }
}
