using System.Collections.Immutable;
using System.Net;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Backends: those that upstream blocks name, and those that a proxy_pass names by their address.
/// </summary>
internal sealed class UpstreamModule
{
    private readonly Dictionary<string, BackendConfig> _backends =
        new(StringComparer.OrdinalIgnoreCase);

    public UpstreamModule(NginxScope http)
    {
        foreach (NginxDirective upstream in http.AllHere("upstream"))
        {
            NginxScope scope = http.Within(upstream, NginxContext.Upstream);
            _backends.Add(upstream.Value, new BackendConfig
            {
                Name = upstream.Value,
                Endpoints = [.. scope.AllHere("server").Select(ReadServer)],
            });
        }
    }

    public static DirectiveRule[] Directives { get; } =
    [
        new("upstream", NginxContext.Http) { Block = NginxContext.Upstream, MayRepeat = true },
        new("server", NginxContext.Upstream, 1, -1) { MayRepeat = true },
    ];

    public ImmutableArray<BackendConfig> Backends => [.. _backends.Values];

    /// <summary>The name of the backend that a proxy_pass leads to.</summary>
    public string BackendOf(NginxDirective pass)
    {
        const string Scheme = "http://";
        if (!pass.Value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            throw pass.Error("invalid URL prefix");
        }

        string name = pass.Value[Scheme.Length..].Split('/')[0];
        if (!_backends.ContainsKey(name))
        {
            _backends.Add(name, new BackendConfig
            {
                Name = name,
                Endpoints = [ReadEndpoint(pass, name)],
            });
        }

        return name;
    }

    private static EndpointConfig ReadServer(NginxDirective server)
    {
        EndpointConfig endpoint = ReadEndpoint(server, server.Value);
        foreach (string parameter in server.Arguments.Skip(1))
        {
            string[] pair = parameter.Split('=', 2);
            endpoint = (pair[0], pair.ElementAtOrDefault(1)) switch
            {
                ("weight", { } weight) =>
                    endpoint with { Weight = NginxValue.Number(server, weight) },
                ("max_fails", { } fails) =>
                    endpoint with { MaxFails = NginxValue.Number(server, fails) },
                ("fail_timeout", { } time) =>
                    endpoint with { FailTimeoutMs = NginxValue.Milliseconds(server, time) },
                ("backup", null) => endpoint with { IsBackup = true },
                ("down", null) => endpoint with { State = EndpointState.Out },
                _ => throw server.Error($"invalid parameter \"{parameter}\""),
            };
        }

        return endpoint;
    }

    private static EndpointConfig ReadEndpoint(NginxDirective directive, string text)
    {
        if (!IPEndPoint.TryParse(text, out IPEndPoint? address))
        {
            throw directive.Error($"host not found in upstream \"{text}\"");
        }

        address.Port = address.Port == 0 ? 80 : address.Port;
        return new EndpointConfig { Id = address.ToString(), Address = address };
    }
}
