using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Tessera.Proxy.Nginx;

/// <summary>A server of an upstream: its addresses and parameters. Stateless.</summary>
internal static class UpstreamServer
{
    private const string UnixPrefix = "unix:";

    /// <summary>One endpoint for each address of the name.</summary>
    public static IEnumerable<EndpointConfig> Read(
        NginxDirective server, BalanceAlgorithm algorithm, NginxSource source)
    {
        EndpointConfig common = ReadCommon(server, algorithm);
        string text = server.Value;
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
        {
            string path = text[UnixPrefix.Length..];
            return path.Length == 0
                ? throw server.Error($"no path in the unix domain socket in upstream \"{text}\"")
                : [common with { Id = UnixPrefix + path, UnixPath = path }];
        }

        if (text.Contains('/'))
        {
            throw server.Error($"invalid host in upstream \"{text}\"");
        }

        (string name, string port) = Split(server, text);
        return Resolve(server, name, port, source).Select(address => common with
        {
            Id = address.ToString(),
            Address = address,
        });
    }

    /// <summary>
    /// The servers of an upstream: those whose addresses are known when the file is read, and the
    /// names that are followed.
    /// </summary>
    /// <param name="hasDefaultPort">A port need not be written.</param>
    public static BackendConfig ReadAll(
        NginxDirective upstream, NginxScope scope, BackendConfig config, NginxSource source,
        bool hasDefaultPort)
    {
        var endpoints = ImmutableArray.CreateBuilder<EndpointConfig>();
        var names = ImmutableArray.CreateBuilder<NamedEndpointsConfig>();
        foreach (NginxDirective server in scope.AllHere("server"))
        {
            NamedEndpointsConfig? name = TryReadName(
                server, config.Algorithm, endpoints.Count, hasDefaultPort, source);
            if (name is not null)
            {
                names.Add(name);
            }
            else
            {
                endpoints.AddRange(Read(server, config.Algorithm, source));
            }
        }

        config = config with { Endpoints = endpoints.ToImmutable() };
        if (names.Count == 0)
        {
            return config;
        }

        string where = $"\"{upstream.Value}\" in {upstream.Position}";
        return scope.FindHere("zone") is null
            ? throw upstream.Error("resolving names at run time requires upstream "
                + $"{where} to be in shared memory")
            : config with
            {
                Names = names.ToImmutable(),
                Resolver = ResolverSetting.Read(scope) ?? throw upstream.Error(
                    $"no resolver defined to resolve names at run time in upstream {where}"),
            };
    }

    /// <summary>Null for what has its addresses now.</summary>
    private static NamedEndpointsConfig? TryReadName(
        NginxDirective server,
        BalanceAlgorithm algorithm,
        int before,
        bool hasDefaultPort,
        NginxSource source)
    {
        bool isFollowed = server.Arguments.Contains("resolve");
        string? service = server.Arguments.Skip(1)
            .FirstOrDefault(p => p.StartsWith("service=", StringComparison.Ordinal))?[8..];
        string text = server.Value;
        if (service is not null && !isFollowed)
        {
            throw server.Error($"service upstream \"{text}\" requires \"resolve\" parameter");
        }

        bool isAddress = text.StartsWith(UnixPrefix, StringComparison.Ordinal)
            || IPEndPoint.TryParse(text, out _);
        if (!isFollowed || (isAddress && service is null))
        {
            return null;
        }

        EndpointConfig common = ReadCommon(server, algorithm);
        if (service is null)
        {
            (string host, string port) = Split(server, text);
            if (IsKnown(server, host, int.Parse(port, CultureInfo.InvariantCulture), source))
            {
                return null;
            }

            return text.Contains(':') || hasDefaultPort
                ? new NamedEndpointsConfig(
                    host, int.Parse(port, CultureInfo.InvariantCulture), common, before)
                : throw server.Error($"no port in upstream \"{text}\"");
        }

        if (isAddress || text.Contains(':'))
        {
            throw server.Error($"service upstream \"{text}\" may not have port");
        }

        // A name without a dot is a service's over TCP (RFC 2782).
        string name = service.Contains('.') ? service : $"_{service}._tcp";
        return service.Length == 0
            ? throw server.Error($"invalid parameter \"service=\"")
            : new NamedEndpointsConfig($"{name}.{text}", 0, common, before);
    }

    private static EndpointConfig ReadCommon(NginxDirective server, BalanceAlgorithm algorithm)
    {
        var common = new EndpointConfig
        {
            Id = "",
            Address = new IPEndPoint(IPAddress.None, 0),
            MaxFails = 1,
        };
        foreach (string parameter in server.Arguments.Skip(1))
        {
            common = ReadParameter(server, algorithm, common, parameter);
        }

        return common;
    }

    /// <summary>The one endpoint behind a socket in the file system.</summary>
    public static EndpointConfig OfPath(string path) => new()
    {
        Id = UnixPrefix + path,
        Address = new IPEndPoint(IPAddress.None, 0),
        UnixPath = path,
    };

    /// <summary>All addresses of a name, or the address that it is.</summary>
    /// <exception cref="NginxConfigException">There is none.</exception>
    public static IPEndPoint[] Resolve(
        NginxDirective directive, string name, string port, NginxSource? source = null)
    {
        int number = int.Parse(port, CultureInfo.InvariantCulture);
        if (IPAddress.TryParse(name.Trim('[', ']'), out IPAddress? address)
            && (name.StartsWith('[') || address.AddressFamily == AddressFamily.InterNetwork))
        {
            return [new IPEndPoint(address, number)];
        }

        if (source is not null && IsKnown(directive, name, number, source))
        {
            return [new HostEndPoint(name, number)];
        }

        try
        {
            IPAddress[] found = Dns.GetHostAddresses(name);
            return found.Length > 0
                ? [.. found.Distinct().Select(one => new IPEndPoint(one, number))]
                : throw NotFound(directive, name);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            throw NotFound(directive, name);
        }
    }

    private static bool IsKnown(
        NginxDirective directive, string name, int port, NginxSource source)
    {
        try
        {
            return source.KnowsHost?.Invoke(name, port) == true;
        }
        catch (NginxConfigException fault)
        {
            throw directive.Error(fault.Message);
        }
    }

    private static NginxConfigException NotFound(NginxDirective directive, string name) =>
        directive.Error($"host not found in upstream \"{name}\"");

    private static (string Name, string Port) Split(NginxDirective server, string text)
    {
        int close = text.IndexOf(']');
        int colon = text.IndexOf(':', Math.Max(close, 0));
        string name = colon < 0 ? text : text[..colon];
        string port = colon < 0 ? "80" : text[(colon + 1)..];
        return name.Length == 0 ? throw server.Error($"no host in upstream \"{text}\"")
            : !ushort.TryParse(
                port, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number)
                || number == 0
                ? throw server.Error($"invalid port in upstream \"{text}\"")
            : (name, port);
    }

    private static EndpointConfig ReadParameter(
        NginxDirective server, BalanceAlgorithm algorithm, EndpointConfig endpoint,
        string parameter)
    {
        int equals = parameter.IndexOf('=');
        string name = equals < 0 ? parameter : parameter[..equals];
        string? value = equals < 0 ? null : parameter[(equals + 1)..];
        return (name, value) switch
        {
            ("weight", not null) when Number(value) is > 0 and var weight =>
                endpoint with { Weight = Math.Min(weight, ushort.MaxValue) },
            ("max_conns", not null) when Number(value) is >= 0 and var limit =>
                endpoint with { MaxConnections = limit },
            ("max_fails", not null) when Number(value) is >= 0 and var fails =>
                endpoint with { MaxFails = fails },
            ("fail_timeout", not null)
                when NginxValue.TryMilliseconds(value, out int milliseconds) =>
                endpoint with { FailTimeoutMs = milliseconds },
            ("slow_start", not null)
                when NginxValue.TryMilliseconds(value, out int milliseconds) =>
                endpoint with { SlowStartMs = milliseconds },
            ("backup", null) => IsHashed(algorithm)
                ? throw server.Error($"balancing method does not support parameter \"{parameter}\"")
                : endpoint with { IsBackup = true },
            ("down", null) => endpoint with { State = EndpointState.Out },
            ("drain", null) => endpoint with { State = EndpointState.Draining },
            ("route", { Length: > 0 }) => endpoint with { Route = value },
            ("resolve", null) or ("service", not null) => endpoint,
            _ => throw server.Error($"invalid parameter \"{parameter}\""),
        };
    }

    private static bool IsHashed(BalanceAlgorithm algorithm) => algorithm
        is BalanceAlgorithm.IpHash or BalanceAlgorithm.Hash or BalanceAlgorithm.ConsistentHash
        or BalanceAlgorithm.Random or BalanceAlgorithm.RandomTwo;

    /// <summary>-1 for what is no number.</summary>
    private static int Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : -1;
}
