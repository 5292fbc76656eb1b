using System.Net;
using System.Text;
using Tessera.Linux.Net;
using Tessera.Proxy;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Transports;

namespace Tessera.Tests.Proxy.Routing;

/// <summary>A backend "web" of endpoints a, b, c … without a proxy around it.</summary>
internal sealed class BalancedBackend
{
    public BalancedBackend(BackendConfig config)
    {
        Endpoints = [.. config.Endpoints.Select(
            e => new Endpoint(e, [new UpstreamPool(1, 1_000)]))];
        Backend = new Backend("web", new BackendSet(config, Endpoints), reactors: 1);
    }

    public BalancedBackend(BalanceAlgorithm algorithm, params int[] weights)
        : this(algorithm, [.. weights.Select(w => new Func<EndpointConfig, EndpointConfig>(
            e => e with { Weight = w }))])
    {
    }

    /// <param name="endpoints">What each endpoint has of its own.</param>
    public BalancedBackend(
        BalanceAlgorithm algorithm, params Func<EndpointConfig, EndpointConfig>[] endpoints)
        : this(new BackendConfig
        {
            Name = "web",
            Algorithm = algorithm,
            Endpoints = [.. endpoints.Select((of, i) => of(Plain(i)))],
        })
    {
    }

    public Backend Backend { get; }

    public Endpoint[] Endpoints { get; }

    public long[] Requests => Array.ConvertAll(Endpoints, e => e.Requests);

    public static EndpointConfig Plain(int index) => new()
    {
        Id = $"{(char)('a' + index)}",
        Address = new IPEndPoint(IPAddress.Loopback, 1_000 + index),
    };

    /// <summary>As a new configuration does: the endpoint first, then the set.</summary>
    public void Change(int index, Func<EndpointConfig, EndpointConfig> to, long nowMs = 0)
    {
        Endpoints[index].Update(to(Endpoints[index].Config), nowMs);
        BackendSet before = Backend.Current;
        Backend.Current = new BackendSet(
            before.Config with { Endpoints = [.. Endpoints.Select(e => e.Config)] },
            Endpoints,
            before);
    }

    /// <summary>It fails, so that the default time-out for failures ends then.</summary>
    public void Avoid(int index, long untilMs) => Endpoints[index].Health.NoteFailure(
        untilMs - Plain(index).FailTimeoutMs, isForMaxFails: true, isForOutlier: false, "it broke");

    public void SetState(int index, EndpointState state, long nowMs = 0) =>
        Change(index, e => e with { State = state }, nowMs);

    public Endpoint? Pick(
        string client = "127.0.0.1",
        string key = "",
        long nowMs = 0,
        Endpoint? bound = null,
        params Endpoint[] tried) =>
        Balancer.TryPick(Backend, Backend.Current, new Selection
        {
            Client = new InternetAddress(new IPEndPoint(IPAddress.Parse(client), 1)),
            Key = Encoding.UTF8.GetBytes(key),
            Bound = bound,
            Tried = [.. tried],
            NowMs = nowMs,
        });

    /// <summary>One request after the other: the ids of who got them, "-" for nobody.</summary>
    public string PickInSequence(int count, long nowMs = 0)
    {
        var ids = new StringBuilder();
        for (int i = 0; i < count; i++)
        {
            Endpoint? picked = Pick(nowMs: nowMs);
            ids.Append(picked?.Id ?? "-");
            picked?.End();
        }

        return ids.ToString();
    }
}
