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
    /// <summary>Of one reactor; the one that was made first goes for another.</summary>
    private const int MaxTargets = 1_024;

    /// <summary>
    /// Names that are being asked for at once; for another, the oldest that nobody waits for any
    /// more goes.
    /// </summary>
    private const int MaxQuestions = 1_024;

    /// <summary>A name that has no address is not asked for again for so long.</summary>
    private const int RefusedMs = 500;

    /// <summary>Of configurations that are or were; when there are more, all are forgotten.
    /// </summary>
    private const int MaxClients = 64;

    private readonly Shard _shard;
    private readonly OrderedDictionary<Place, Target> _targets = [];
    private readonly OrderedDictionary<Place, Question> _questions = [];
    private readonly Dictionary<ResolverConfig, DnsClient> _clients = [];

    public PassTargets(Shard shard) => _shard = shard;

    private Reactor Reactor => _shard.Reactor;

    /// <summary>Null when it has to be asked for first.</summary>
    /// <param name="host">"name:port", "address:port" or "unix:path".</param>
    /// <param name="resolver">Who would be asked; null for nobody.</param>
    public Backend? TryFind(string host, ResolverConfig? resolver)
    {
        var place = new Place(resolver, host);
        if (_targets.TryGetValue(place, out Target? known))
        {
            if (known.GoodUntilMs > Reactor.NowMs)
            {
                return known.Backend;
            }

            _targets.Remove(place);
        }

        if (host.StartsWith("unix:", StringComparison.Ordinal))
        {
            string path = host["unix:".Length..];
            return Add(place, [EndpointOf(host, new IPEndPoint(IPAddress.None, 0), path)]);
        }

        return TrySplit(host, out string name, out int port)
            && IPAddress.TryParse(name.Trim('[', ']'), out IPAddress? address)
            ? Add(place, [EndpointOf(host, new IPEndPoint(address, port))])
            : null;
    }

    /// <summary>Asks for the name's addresses and waits; says why when it has none.</summary>
    public async ReactorTask<FoundTarget> ResolveAsync(
        string host, ResolverConfig config, IoOperation wait)
    {
        if (!TrySplit(host, out string name, out _))
        {
            return new FoundTarget(null, ResolveCode.NotFound);
        }

        // A name that is no name is asked for once, however often it comes.
        var place = new Place(config, name);
        if (_targets.TryGetValue(place, out Target? refused)
            && refused.Backend is null && refused.GoodUntilMs > Reactor.NowMs)
        {
            return new FoundTarget(null, refused.Code);
        }

        if (!_questions.TryGetValue(place, out Question? question))
        {
            if (_questions.Count >= MaxQuestions && !TryForgetQuestion())
            {
                return new FoundTarget(null, ResolveCode.TimedOut);
            }

            question = new Question();
            _questions.Add(place, question);
            Ask(place, config);
        }

        question.Waiting.Add(wait);
        await Reactor.Start(wait, IoKind.Wait, [], 0, 0, config.TimeoutMs);
        question.Waiting.Remove(wait);
        return question.Answer is { } answer
            ? Take(new Place(config, host), answer)
            : new FoundTarget(null, ResolveCode.TimedOut);
    }

    /// <summary>False while somebody waits for each of the names.</summary>
    private bool TryForgetQuestion()
    {
        for (int i = 0; i < _questions.Count; i++)
        {
            if (_questions.GetAt(i).Value.Waiting.Count == 0)
            {
                _questions.RemoveAt(i);
                return true;
            }
        }

        return false;
    }

    private void Ask(Place place, ResolverConfig config)
    {
        if (!_clients.TryGetValue(config, out DnsClient? client))
        {
            if (_clients.Count >= MaxClients)
            {
                _clients.Clear();
            }

            _clients.Add(config, client = new DnsClient(config));
        }

        client.ResolveAsync(place.Host, config.TimeoutMs, CancellationToken.None).ContinueWith(
            asked => Reactor.Post(() => Answer(
                place,
                asked.IsCompletedSuccessfully
                    ? asked.Result
                    : ResolvedName.Failed(ResolveCode.TimedOut))),
            TaskScheduler.Default);
    }

    private void Answer(Place place, ResolvedName answer)
    {
        if (!_questions.Remove(place, out Question? question))
        {
            return;
        }

        question.Answer = answer;
        if (answer.Addresses.Count == 0 && answer.Code != ResolveCode.TimedOut)
        {
            Keep(place, new Target(null, Reactor.NowMs + RefusedMs, answer.Code));
        }

        foreach (IoOperation wait in question.Waiting)
        {
            if (wait.IsPending)
            {
                Reactor.Schedule(wait, SyscallResult.Success(0));
            }
        }
    }

    private FoundTarget Take(Place place, ResolvedName answer)
    {
        if (_targets.TryGetValue(place, out Target? known) && known.Backend is not null)
        {
            return new FoundTarget(known.Backend, ResolveCode.None);
        }

        if (answer.Addresses.Count == 0 || !TrySplit(place.Host, out _, out int port))
        {
            return new FoundTarget(null, answer.Code);
        }

        Backend backend = Add(
            place,
            [.. answer.Addresses.Select(address =>
                EndpointOf(place.Host, new IPEndPoint(address, port)))],
            answer.GoodMs);
        return new FoundTarget(backend, ResolveCode.None);
    }

    private Backend Add(Place place, EndpointConfig[] endpoints, int goodMs = int.MaxValue)
    {
        string host = place.Host;
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
        Keep(place, new Target(backend, Reactor.NowMs + goodMs, ResolveCode.None));
        return backend;
    }

    private void Keep(Place place, Target target)
    {
        _targets.Remove(place);
        if (_targets.Count >= MaxTargets)
        {
            _targets.RemoveAt(0);
        }

        _targets.Add(place, target);
    }

    private static EndpointConfig EndpointOf(
        string host, IPEndPoint address, string? path = null) => new()
        {
            Id = path is null ? address.ToString() : host,
            Address = address,
            UnixPath = path,

            // As with nginx, what failed for one request says nothing for the next.
            MaxFails = 0,
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

    /// <param name="Backend">Null for a name that has no address.</param>
    /// <param name="Code">Why it has none, see <see cref="ResolveCode"/>.</param>
    private sealed record Target(Backend? Backend, long GoodUntilMs, int Code);

    /// <summary>A name, or a name and a port, as one resolver knows it.</summary>
    private readonly record struct Place
    {
        public Place(ResolverConfig? resolver, string host)
        {
            Resolver = resolver;
            Host = host.StartsWith("unix:", StringComparison.Ordinal)
                ? host
                : host.ToLowerInvariant();
        }

        public ResolverConfig? Resolver { get; }

        public string Host { get; }
    }

    /// <summary>A name that is being asked for, and who waits for its addresses.</summary>
    private sealed class Question
    {
        public List<IoOperation> Waiting { get; } = [];

        public ResolvedName? Answer { get; set; }
    }
}

/// <summary>What a name has come to.</summary>
/// <param name="Backend">Null when it has no addresses.</param>
/// <param name="Code">Why not, see <see cref="ResolveCode"/>.</param>
internal readonly record struct FoundTarget(Backend? Backend, int Code);
