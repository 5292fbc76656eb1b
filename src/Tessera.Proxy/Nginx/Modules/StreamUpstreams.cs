using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Backends of a stream block: those that upstream blocks name, and those that a proxy_pass names
/// by their address. Used while one file is read.
/// </summary>
internal sealed class StreamUpstreams
{
    /// <summary>Keeps their names apart from those of the http block.</summary>
    private const string Prefix = "stream/";

    private readonly Dictionary<string, BackendConfig> _named =
        new(StringComparer.OrdinalIgnoreCase);

    private readonly Dictionary<string, BackendConfig> _unnamed = new(StringComparer.Ordinal);

    /// <param name="stream">The stream block.</param>
    /// <exception cref="NginxConfigException">The first thing that is wrong in one.</exception>
    public StreamUpstreams(NginxScope stream)
    {
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
        _unnamed.Add(pass.Value, new BackendConfig
        {
            Name = name,
            Endpoints = Number([.. StreamAddress.Resolve(pass, pass.Value)]),
        });
        return name;
    }

    private static BackendConfig Read(NginxDirective upstream, NginxScope stream)
    {
        NginxScope scope = stream.Within(upstream, NginxContext.StreamUpstream);
        EndpointConfig[] endpoints = [.. scope.AllHere("server").SelectMany(ReadServer)];
        if (endpoints.Length == 0)
        {
            throw upstream.Error("no servers are inside upstream");
        }

        return ReadMethod(scope, new BackendConfig
        {
            Name = Prefix + upstream.Value,
            Endpoints = Number(endpoints),
        });
    }

    /// <summary>An address that stands there twice is two servers.</summary>
    private static ImmutableArray<EndpointConfig> Number(EndpointConfig[] endpoints) =>
    [
        .. endpoints.Select((endpoint, i) => endpoints[..i].Any(e => e.Id == endpoint.Id)
            ? endpoint with { Id = $"{endpoint.Id}#{i}" }
            : endpoint),
    ];

    private static IEnumerable<EndpointConfig> ReadServer(NginxDirective server)
    {
        foreach (EndpointConfig endpoint in StreamAddress.Resolve(server, server.Value))
        {
            yield return server.Arguments.Skip(1).Aggregate(
                endpoint, (current, parameter) => Apply(server, current, parameter));
        }
    }

    private static EndpointConfig Apply(
        NginxDirective server, EndpointConfig endpoint, string parameter)
    {
        string[] pair = parameter.Split('=', 2);
        switch (pair[0], pair.ElementAtOrDefault(1))
        {
            case ("weight", { } text) when TryNumber(text, 1, out int weight):
                return endpoint with { Weight = Math.Min(weight, 65_535) };
            case ("max_conns", { } text) when TryNumber(text, 0, out int connections):
                return endpoint with { MaxConnections = connections };
            case ("max_fails", { } text) when TryNumber(text, 0, out int fails):
                return endpoint with { MaxFails = fails };
            case ("fail_timeout", { } text)
                when NginxValue.TryMilliseconds(text, out int milliseconds):
                return endpoint with { FailTimeoutMs = milliseconds / 1_000 * 1_000 };
            case ("slow_start", { } text)
                when NginxValue.TryMilliseconds(text, out int milliseconds):
                return endpoint with { SlowStartMs = milliseconds };
            case ("backup", null):
                return endpoint with { IsBackup = true };
            case ("down", null):
                return endpoint with { State = EndpointState.Out };
            case ("resolve", null):
                return endpoint;
            default:
                throw server.Error($"invalid parameter \"{parameter}\"");
        }
    }

    private static bool TryNumber(string text, int min, out int number) =>
        int.TryParse(text, out number) && number >= min;

    private static BackendConfig ReadMethod(NginxScope scope, BackendConfig backend)
    {
        if (scope.FindHere("least_conn") is not null)
        {
            return backend with { Algorithm = BalanceAlgorithm.LeastConnections };
        }

        if (scope.FindHere("least_time") is not null)
        {
            return backend with { Algorithm = BalanceAlgorithm.LeastTimeFirstByte };
        }

        if (scope.FindHere("hash") is { } hash)
        {
            bool isConsistent = hash.Arguments.ElementAtOrDefault(1) == "consistent";
            if (hash.Arguments.Length > 1 && !isConsistent)
            {
                throw hash.Error($"invalid parameter \"{hash.Arguments[1]}\"");
            }

            return backend with
            {
                Algorithm = isConsistent
                    ? BalanceAlgorithm.ConsistentHash
                    : BalanceAlgorithm.Hash,
                HashKey = hash.Value,
            };
        }

        if (scope.FindHere("random") is { } random)
        {
            if (random.Arguments is not ([] or ["two"] or ["two", "least_conn"]))
            {
                throw random.Error($"invalid parameter \"{random.Arguments[^1]}\"");
            }

            return backend with
            {
                Algorithm = random.Arguments.IsEmpty
                    ? BalanceAlgorithm.Random
                    : BalanceAlgorithm.RandomTwo,
            };
        }

        return backend;
    }
}

/// <summary>Addresses of upstream servers in a stream block. Stateless.</summary>
internal static class StreamAddress
{
    /// <summary>Every address that a name has, as it is when the file is read.</summary>
    /// <exception cref="NginxConfigException">There is none, or no port.</exception>
    public static IEnumerable<EndpointConfig> Resolve(NginxDirective directive, string text)
    {
        int colon = text.LastIndexOf(':');
        string host = colon < 0 ? text : text[..colon];
        if (colon < 0 || text.EndsWith(']') || host.Length == 0)
        {
            throw directive.Error(host.Length == 0
                ? $"no host in upstream \"{text}\""
                : $"no port in upstream \"{text}\"");
        }

        if (!ushort.TryParse(text[(colon + 1)..], out ushort port) || port == 0)
        {
            throw directive.Error($"invalid port in upstream \"{text}\"");
        }

        foreach (IPAddress address in Lookup(directive, text, host))
        {
            var end = new IPEndPoint(address, port);
            yield return new EndpointConfig { Id = end.ToString(), Address = end };
        }
    }

    private static IPAddress[] Lookup(NginxDirective directive, string text, string host)
    {
        if (IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? literal))
        {
            return [literal];
        }

        try
        {
            return Dns.GetHostAddresses(host);
        }
        catch (SocketException)
        {
            throw directive.Error($"host not found in upstream \"{text}\"");
        }
    }
}
