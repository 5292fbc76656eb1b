using System.Collections.Immutable;
using System.Net;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Nginx;

/// <summary>The http block: servers, and the addresses that they share. Stateless.</summary>
internal static class HttpModule
{
    public static DirectiveRule[] Directives { get; } =
    [
        new("http", NginxContext.Main, 0, 0) { Block = NginxContext.Http },
        new("server", NginxContext.Http, 0, 0) { Block = NginxContext.Server, MayRepeat = true },
        new("server_name", NginxContext.Server, 1, -1) { MayRepeat = true },
        Number("server_names_hash_max_size"),
        Number("server_names_hash_bucket_size"),
        Number("variables_hash_max_size"),
        Number("variables_hash_bucket_size"),
        new("merge_slashes", NginxContext.Http | NginxContext.Server) { Kind = ValueKind.Flag },
    ];

    /// <summary>Of a table that grows as it has to.</summary>
    private static DirectiveRule Number(string name) =>
        new(name, NginxContext.Http) { Kind = ValueKind.Number, HasNoEffect = true };

    /// <param name="warn">Told what is odd and still can be used.</param>
    public static ProxyConfig Read(NginxScope main, NginxFiles files, Action<string> warn)
    {
        if (main.FindHere("http") is not { } directive)
        {
            return ProxyConfig.Empty;
        }

        NginxScope http = main.Within(directive, NginxContext.Http);
        var reading = new HttpReading
        {
            Files = files,
            Upstreams = new UpstreamModule(http, files.Source),
            Variables = new NginxVariables(),
            CharsetMaps = CharsetModule.ReadMaps(http),
            Warn = warn,
            End = directive.AtEnd(),
        };
        LimitModule.CheckZones(http);
        LogModule.CheckFormats(http);
        MapModule.Read(http, reading.Variables);
        GeoModule.Read(http, reading.Variables, warn);
        LocationModule.CheckOutermost(http, reading);
        var listeners = new Dictionary<IPEndPoint, ListenerReading>();
        var servers = new List<ServerConfig>();
        foreach (NginxDirective block in http.AllHere("server"))
        {
            NginxScope scope = http.Within(block, NginxContext.Server);
            ServerConfig server = ReadServer(scope, reading);
            servers.Add(server);
            foreach (ListenAddress listen in ListenModule.ReadAll(scope, block))
            {
                if (!listeners.TryGetValue(listen.Address, out ListenerReading? listener))
                {
                    listeners[listen.Address] = listener = new ListenerReading(listen.Address);
                }

                listener.Add(server, listen);
            }
        }

        foreach (string conflict in listeners.Values.SelectMany(listener => listener.Conflicts))
        {
            warn(conflict);
        }

        var config = new ProxyConfig
        {
            Listeners =
            [
                .. listeners.Values.Select(listener => new ListenerConfig
                {
                    Address = listener.Address,
                    Protocol = ListenerProtocol.Http,
                    ExpectsProxyProtocol = listener.HasProxyProtocol,
                    Sockets = listener.Sockets,
                    Servers = listener.Servers,
                    AccessLogs = LogsOf(listener.Servers),
                }),
            ],
            Backends = reading.Upstreams.Backends,
            Variables = reading.Variables.All,
        };
        CheckVariables(config, servers, http);
        return config;
    }

    /// <summary>Of requests that no server is found for: the default one's.</summary>
    private static ImmutableArray<AccessLogConfig> LogsOf(ImmutableArray<ServerConfig> servers) =>
        (servers.FirstOrDefault(server => server.IsDefault) ?? servers[0]).Fallback.AccessLogs;

    private static ServerConfig ReadServer(NginxScope scope, HttpReading reading)
    {
        ImmutableArray<string> names = ReadNames(scope, reading);
        ClientModule.CheckSizes(scope, reading);
        return new ServerConfig
        {
            Names = names.IsEmpty ? [""] : names,
            MergesSlashes = scope.Flag("merge_slashes", true),
            Script = RewriteModule.ReadScript(scope, reading, readLocation: null),
            Locations = LocationModule.ReadAll(scope, outer: null, reading),
            Fallback = LocationModule.ReadRoute(
                scope, new PathMatch(PathMatchKind.Prefix, ""), reading),
        };
    }

    private static ImmutableArray<string> ReadNames(NginxScope scope, HttpReading reading)
    {
        var names = ImmutableArray.CreateBuilder<string>();
        foreach (NginxDirective directive in scope.AllHere("server_name"))
        {
            foreach (string name in directive.Arguments)
            {
                CheckName(directive, name, reading);
                names.Add(name == "$hostname" ? Environment.MachineName
                    : name.StartsWith('~') ? name
                    : name.ToLowerInvariant());
            }
        }

        return names.ToImmutable();
    }

    private static void CheckName(NginxDirective directive, string name, HttpReading reading)
    {
        bool isWild = name.Contains('*', StringComparison.Ordinal);
        bool isMask = (name.StartsWith("*.", StringComparison.Ordinal)
                && !name[2..].Contains('*', StringComparison.Ordinal) && name.Length > 2)
            || (name.EndsWith(".*", StringComparison.Ordinal)
                && !name[..^2].Contains('*', StringComparison.Ordinal) && name.Length > 2);
        if (name.StartsWith('~'))
        {
            if (name.Length == 1)
            {
                throw directive.Error($"empty regex in server name \"{name}\"");
            }

            reading.Variables.CheckExpression(directive, name[1..]);
        }
        else if (name is "." or "*" or ['*', not '.', ..] or ['*', '.'])
        {
            throw directive.Error($"server name \"{name}\" is invalid");
        }
        else if (isWild && !isMask)
        {
            throw directive.Error($"invalid server name or wildcard \"{name}\" on 0.0.0.0:80");
        }
        else if (name.Contains('/', StringComparison.Ordinal))
        {
            reading.Warn(directive.Error(
                $"server name \"{name}\" has suspicious symbols").Message);
        }
    }

    /// <summary>nginx looks for them at the end, and names no line.</summary>
    private static void CheckVariables(
        ProxyConfig config, List<ServerConfig> servers, NginxScope http)
    {
        try
        {
            using VariableScope.Entered scope = new VariableScope(config.Variables).Enter();
            LogModule.CheckVariables(http);
            ProxyModule.CheckVariables(http.Directives);
            foreach (ServerConfig server in servers)
            {
                RouteFactory.Check(server);
            }

            foreach (AccessLogConfig log in config.Listeners.SelectMany(l => l.AccessLogs))
            {
                AccessLogFormat.Parse(log);
            }

            foreach (BackendConfig backend in config.Backends)
            {
                Template.Parse(backend.HashKey);
                _ = backend.Persistence is null
                    ? null
                    : new PersistenceRule(
                        backend.Persistence, [], before: null, keepsTexts: false);
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

    /// <summary>The servers of one address, while they are read.</summary>
    private sealed class ListenerReading(IPEndPoint address)
    {
        private readonly ImmutableArray<ServerConfig>.Builder _servers =
            ImmutableArray.CreateBuilder<ServerConfig>();
        private readonly HashSet<string> _names = new(StringComparer.Ordinal);
        private readonly List<string> _conflicts = [];
        private bool _hasDefault;
        private ListenConfig? _sockets;

        public IPEndPoint Address => address;

        public ListenConfig Sockets => _sockets ?? ListenConfig.Default;

        public ImmutableArray<ServerConfig> Servers => _servers.ToImmutable();

        /// <summary>What one server's listen says holds for the address.</summary>
        public bool HasProxyProtocol { get; private set; }

        /// <summary>
        /// What is odd about the names: of a single server nobody asks for the name.
        /// </summary>
        public IEnumerable<string> Conflicts => _servers.Count > 1 ? _conflicts : [];

        public void Add(ServerConfig server, ListenAddress listen)
        {
            if (listen.Sockets is not null && _sockets is not null)
            {
                throw listen.Directive.Error($"duplicate listen options for {address}");
            }

            if (listen.IsDefault && _hasDefault)
            {
                throw listen.Directive.Error($"a duplicate default server for {address}");
            }

            _sockets ??= listen.Sockets;
            _hasDefault |= listen.IsDefault;
            HasProxyProtocol |= listen.HasProxyProtocol;
            foreach (string name in server.Names)
            {
                if (!name.StartsWith('~') && !_names.Add(name))
                {
                    _conflicts.Add($"conflicting server name \"{name}\" on {address}, ignored");
                }
            }

            _servers.Add(server with { IsDefault = listen.IsDefault });
        }
    }
}
