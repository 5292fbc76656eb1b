using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Backends of a stream block: those that upstream blocks name, and those that a proxy_pass names
/// by their address. Used while one file is read.
/// </summary>
internal sealed class StreamUpstreams
{
    private const NginxContext Any = NginxContext.Stream | NginxContext.StreamServer;

    /// <summary>Keeps their names apart from those of the http block.</summary>
    private const string Prefix = "stream/";

    private const string UnixPrefix = "unix:";

    private readonly Dictionary<string, BackendConfig> _named =
        new(StringComparer.OrdinalIgnoreCase);

    private readonly Dictionary<string, BackendConfig> _unnamed = new(StringComparer.Ordinal);

    private readonly NginxSource _source;

    /// <param name="stream">The stream block.</param>
    /// <param name="source">Knows hosts that are not asked for.</param>
    /// <exception cref="NginxConfigException">The first thing that is wrong in one.</exception>
    public StreamUpstreams(NginxScope stream, NginxSource source)
    {
        _source = source;
        foreach (NginxDirective upstream in stream.AllHere("upstream"))
        {
            if (!_named.TryAdd(upstream.Value, Read(upstream, stream)))
            {
                throw upstream.Error($"duplicate upstream \"{upstream.Value}\"");
            }
        }
    }

    public static DirectiveRule[] Directives { get; } =
    [
        new("upstream", NginxContext.Stream)
        {
            Block = NginxContext.StreamUpstream, MayRepeat = true,
        },
        new("server", NginxContext.StreamUpstream, 1, -1) { MayRepeat = true },
        new("zone", NginxContext.StreamUpstream, 1, 2),
        new("least_conn", NginxContext.StreamUpstream, 0, 0),
        new("least_time", NginxContext.StreamUpstream, 1, 2),
        new("hash", NginxContext.StreamUpstream, 1, 2),
        new("random", NginxContext.StreamUpstream, 0, 2),
        new("resolver", Any | NginxContext.StreamUpstream, 1, -1),
        new("resolver_timeout", Any | NginxContext.StreamUpstream)
        {
            Kind = ValueKind.Milliseconds,
        },
    ];

    public ImmutableArray<BackendConfig> Backends => [.. _named.Values, .. _unnamed.Values];

    /// <summary>What a proxy_pass with variables may come to.</summary>
    public ImmutableArray<StreamChoice> Choices =>
        [.. _named.Select(pair => new StreamChoice(pair.Key, pair.Value.Name))];

    /// <summary>The name of the backend that a proxy_pass leads to.</summary>
    public string BackendOf(NginxDirective pass)
    {
        if (_named.TryGetValue(pass.Value, out BackendConfig? backend)
            || _unnamed.TryGetValue(pass.Value, out backend))
        {
            return backend.Name;
        }

        string name = Prefix + pass.Value;
        _unnamed.Add(pass.Value, Finish(NewBackend(pass.Value), ReadAddress(pass)));
        return name;
    }

    private BackendConfig Read(NginxDirective upstream, NginxScope stream)
    {
        NginxScope scope = stream.Within(upstream, NginxContext.StreamUpstream);
        foreach (NginxDirective server in scope.AllHere("server"))
        {
            if (!server.Arguments.Any(p => p.StartsWith("service=", StringComparison.Ordinal)))
            {
                CheckAddress(server, server.Value);
            }
        }

        BackendConfig config = UpstreamServer.ReadAll(
            upstream, scope, BalanceMethod.Apply(scope, NewBackend(upstream.Value)),
            _source, hasDefaultPort: false);
        if (config.Endpoints.IsEmpty && config.Names.IsEmpty)
        {
            throw upstream.AtEnd().Error("no servers are inside upstream");
        }

        return config.Endpoints.All(endpoint => endpoint.IsBackup)
            && config.Names.All(name => name.Common.IsBackup)
            ? throw upstream.Error($"no servers in upstream \"{upstream.Value}\"")
            : Finish(config, [.. config.Endpoints]);
    }

    /// <summary>A connection is its own: none is kept for the next.</summary>
    private static BackendConfig NewBackend(string name) => new()
    {
        Name = Prefix + name,
        Label = name,
        LeavesFailedOut = true,
        KeepAlive = new KeepAliveConfig(0),
        Limits = new BackendLimits { HoldQueueLength = 0 },
    };

    /// <summary>
    /// An address that stands there twice is two servers. The only one there is is never left out.
    /// </summary>
    private static BackendConfig Finish(BackendConfig config, EndpointConfig[] endpoints) =>
        config with
        {
            Endpoints = endpoints.Length == 1 && config.Names.IsEmpty
                && endpoints[0].Address is not HostEndPoint
                ? [endpoints[0] with { MaxFails = 0 }]
                :
                [
                    .. endpoints.Select((endpoint, i) =>
                        Array.Exists(endpoints[..i], e => e.Id == endpoint.Id)
                            ? endpoint with { Id = $"{endpoint.Id}#{i}" }
                            : endpoint),
                ],
        };

    private EndpointConfig[] ReadAddress(NginxDirective pass)
    {
        string text = pass.Value;
        CheckAddress(pass, text);
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
        {
            return [UpstreamServer.OfPath(text[UnixPrefix.Length..])];
        }

        int colon = text.LastIndexOf(':');
        return
        [
            .. UpstreamServer.Resolve(pass, text[..colon], text[(colon + 1)..], _source).Select(
                found => new EndpointConfig
                {
                    Id = found.ToString(), Address = found, MaxFails = 1,
                }),
        ];
    }

    /// <summary>Unlike in an http block no port is the usual one.</summary>
    private static void CheckAddress(NginxDirective directive, string text)
    {
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
        {
            if (text.Length == UnixPrefix.Length)
            {
                throw directive.Error(
                    $"no path in the unix domain socket in upstream \"{text}\"");
            }

            return;
        }

        int colon = text.LastIndexOf(':');
        string? fault =
            text.Contains('/') ? "invalid host"
            : text.Length == 0 || colon == 0 ? "no host"
            : colon < text.LastIndexOf(']') || colon < 0 ? "no port"
            : !ushort.TryParse(text.AsSpan(colon + 1), out ushort port) || port == 0
                ? "invalid port"
            : null;
        if (fault is not null)
        {
            throw directive.Error($"{fault} in upstream \"{text}\"");
        }
    }
}
