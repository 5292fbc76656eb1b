using System.Collections.Immutable;
using System.Net;
using Shouldly;
using Tessera.Proxy;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>
/// A proxy on an address of its own with one listener and one backend "web", whose endpoints a test
/// changes as it goes.
/// </summary>
internal sealed class ProxyFixture : IAsyncDisposable
{
    private static readonly AsyncLocal<PollerKind> PollerOfTest = new();

    private ProxyConfig _config;

    private ProxyFixture(ProxyServer server, BackendConfig backend, ListenerConfig listener)
    {
        Server = server;
        Address = listener.Address;
        _config = new ProxyConfig { Listeners = [listener], Backends = [backend] };
        Server.Apply(_config).ShouldBeEmpty();
    }

    /// <summary>What the servers of the test that is running wait with.</summary>
    public static PollerKind Poller
    {
        get => PollerOfTest.Value;
        set => PollerOfTest.Value = value;
    }

    public ProxyServer Server { get; }

    public IPEndPoint Address { get; }

    public BackendConfig Backend => _config.Backends[0];

    public EndpointStatus Status(string endpoint) =>
        Server.GetStatus().Single().Endpoints.Single(e => e.Endpoint == endpoint);

    public static ProxyFixture Start(
        IEnumerable<IPEndPoint> endpoints,
        ProxyOptions? options = null,
        Func<BackendConfig, BackendConfig>? backend = null,
        Func<ListenerConfig, ListenerConfig>? listener = null,
        ProxyServer? server = null)
    {
        var web = new BackendConfig
        {
            Name = "web",
            Endpoints = [.. endpoints.Select((a, i) => Endpoint($"web-{i + 1}", a))],
        };
        var front = new ListenerConfig
        {
            Address = ScriptedServer.UnusedAddress(),
            Protocol = ListenerProtocol.Http,
            Routes = [new RouteConfig { Backend = "web" }],
        };
        return new ProxyFixture(
            server ?? NewServer(options ?? new ProxyOptions { Reactors = 2 }),
            backend?.Invoke(web) ?? web,
            listener?.Invoke(front) ?? front);
    }

    public static ProxyServer NewServer(ProxyOptions options) =>
        new(options with { Poller = Poller });

    public static EndpointConfig Endpoint(
        string id, IPEndPoint address, EndpointState state = EndpointState.Active) =>
        new() { Id = id, Address = address, State = state };

    public void SetEndpoints(params ImmutableArray<EndpointConfig> endpoints) =>
        Apply(Backend with { Endpoints = endpoints });

    public void Apply(BackendConfig backend)
    {
        _config = _config with { Backends = [backend] };
        Server.Apply(_config).ShouldBeEmpty();
    }

    public Task<ScriptedConnection> ConnectAsync() => ScriptedConnection.ConnectAsync(Address);

    /// <summary>One request on a connection of its own, until the proxy ends it.</summary>
    public async Task<string> ExchangeAsync(string request)
    {
        using ScriptedConnection client = await ConnectAsync();
        await client.SendAsync(request);
        return await client.ReadToEndAsync();
    }

    /// <summary>The body of a GET's answer, "" when there was none.</summary>
    public async Task<string> GetAsync(string path = "/")
    {
        string answer = await ExchangeAsync(
            $"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        int end = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        return end < 0 ? "" : answer[(end + 4)..];
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
