using System.Net;
using Tessera.Linux;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Resolving;

/// <summary>
/// Backends that requests name by themselves, through the variables of a proxy_pass: made when they
/// are first asked for, and kept for as long as their names' addresses are good. Owned by one
/// reactor; only the questions to name servers are asked elsewhere.
/// </summary>
internal sealed class PassTargets
{
    /// <summary>Of one reactor; when there are more, all are forgotten.</summary>
    private const int MaxTargets = 1_024;

    /// <summary>Names that are being asked for at once.</summary>
    private const int MaxQuestions = 256;

    private readonly Shard _shard;
    private readonly Dictionary<string, Target> _targets =
        new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, Question> _questions =
        new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<ResolverConfig, DnsClient> _clients = [];

    public PassTargets(Shard shard) => _shard = shard;

    private Reactor Reactor => _shard.Reactor;

    /// <summary>Null when it has to be asked for first.</summary>
    /// <param name="host">"name:port", "address:port" or "unix:path".</param>
    public Backend? TryFind(string host)
    {
        if (_targets.TryGetValue(host, out Target? known))
        {
            if (known.GoodUntilMs > Reactor.NowMs)
            {
                return known.Backend;
            }

            _targets.Remove(host);
        }

        if (host.StartsWith("unix:", StringComparison.Ordinal))
        {
            string path = host["unix:".Length..];
            return Add(host, [EndpointOf(host, new IPEndPoint(IPAddress.None, 0), path)]);
        }

        return TrySplit(host, out string name, out int port)
            && IPAddress.TryParse(name.Trim('[', ']'), out IPAddress? address)
            ? Add(host, [EndpointOf(host, new IPEndPoint(address, port))])
            : null;
    }

    /// <summary>Asks for the name's addresses and waits; null when it has none.</summary>
    public async ReactorTask<Backend?> ResolveAsync(
        string host, ResolverConfig config, IoOperation wait)
    {
        if (!TrySplit(host, out string name, out _))
        {
            return null;
        }

        if (!_questions.TryGetValue(name, out Question? question))
        {
            if (_questions.Count >= MaxQuestions)
            {
                return null;
            }

            question = new Question();
            _questions.Add(name, question);
            Ask(name, config);
        }

        question.Waiting.Add(wait);
        SyscallResult result = await Reactor.Start(
            wait, IoKind.Wait, [], 0, 0, config.TimeoutMs);
        question.Waiting.Remove(wait);
        return result.IsSuccess && question.Answer is { } answer ? Take(host, answer) : null;
    }

    private void Ask(string name, ResolverConfig config)
    {
        if (!_clients.TryGetValue(config, out DnsClient? client))
        {
            _clients.Add(config, client = new DnsClient(config));
        }

        client.ResolveAsync(name, CancellationToken.None).ContinueWith(
            asked => Reactor.Post(() => Answer(
                name, asked.IsCompletedSuccessfully ? asked.Result : ResolvedName.Unknown)),
            TaskScheduler.Default);
    }

    private void Answer(string name, ResolvedName answer)
    {
        if (!_questions.Remove(name, out Question? question))
        {
            return;
        }

        question.Answer = answer;
        foreach (IoOperation wait in question.Waiting)
        {
            if (wait.IsPending)
            {
                Reactor.Schedule(wait, SyscallResult.Success(0));
            }
        }
    }

    private Backend? Take(string host, ResolvedName answer)
    {
        if (_targets.TryGetValue(host, out Target? known))
        {
            return known.Backend;
        }

        if (answer.Addresses.Count == 0 || !TrySplit(host, out _, out int port))
        {
            return null;
        }

        return Add(
            host,
            [.. answer.Addresses.Select(address =>
                EndpointOf(host, new IPEndPoint(address, port)))],
            answer.GoodMs);
    }

    private Backend Add(string host, EndpointConfig[] endpoints, int goodMs = int.MaxValue)
    {
        if (_targets.Count >= MaxTargets)
        {
            _targets.Clear();
        }

        // The only address of a name is never left out.
        endpoints = endpoints.Length > 1
            ? endpoints
            : [endpoints[0] with { MaxFails = 0 }];
        int reactors = Math.Max(_shard.Options.Reactors, 1);
        var config = new BackendConfig
        {
            Name = host,
            Endpoints = [.. endpoints],
            LeavesFailedOut = true,
            KeepAlive = new KeepAliveConfig(0),
        };
        Endpoint[] ready = Array.ConvertAll(endpoints, one => new Endpoint(
            one,
            [.. Enumerable.Range(0, reactors).Select(_ => new UpstreamPool(0, 0))],
            Reactor.NowMs));
        var set = new BackendSet(config, ready);
        var backend = new Backend(host, set, reactors);
        backend.Health.Apply(set, []);
        _targets[host] = new Target(backend, Reactor.NowMs + goodMs);
        return backend;
    }

    private static EndpointConfig EndpointOf(
        string host, IPEndPoint address, string? path = null) => new()
        {
            Id = path is null ? address.ToString() : host,
            Address = address,
            UnixPath = path,
        };

    private static bool TrySplit(string host, out string name, out int port)
    {
        int close = host.IndexOf(']');
        int colon = host.IndexOf(':', Math.Max(close, 0));
        name = colon < 0 ? host : host[..colon];
        port = 80;
        return name.Length > 0
            && (colon < 0 || (int.TryParse(host.AsSpan(colon + 1), out port)
                && port is > 0 and <= ushort.MaxValue));
    }

    private sealed record Target(Backend Backend, long GoodUntilMs);

    /// <summary>A name that is being asked for, and who waits for its addresses.</summary>
    private sealed class Question
    {
        public List<IoOperation> Waiting { get; } = [];

        public ResolvedName? Answer { get; set; }
    }
}
