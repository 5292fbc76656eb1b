using System.Collections.Immutable;
using System.Net;

namespace Tessera.Proxy.Resolving;

/// <summary>
/// Asks for one name again and again, as often as its answers say. Begun and ended by its owner;
/// runs on the pool.
/// </summary>
internal sealed class FollowedName : IAsyncDisposable
{
    /// <summary>Answers that are good for less are not asked for sooner.</summary>
    private const int MinWaitMs = 1_000;

    /// <summary>How long it is believed that there is no such name, unless valid= says.</summary>
    private const int AbsentWaitMs = 10_000;

    private const int MaxWeight = ushort.MaxValue;

    private readonly CancellationTokenSource _end = new();
    private readonly DnsClient _client;
    private readonly NameKey _key;
    private readonly Action<string> _tell;
    private Task _running = Task.CompletedTask;

    public FollowedName(NameKey key, ResolverConfig resolver, Action<string> tell)
    {
        _key = key;
        _tell = tell;
        _client = new DnsClient(resolver);
        Resolver = resolver;
    }

    public ResolverConfig Resolver { get; }

    /// <summary>What it was last; its owner's.</summary>
    public ImmutableArray<FoundEndpoint> Found { get; set; } = [];

    /// <param name="take">Gets each answer that is no error.</param>
    public void Begin(Action<ImmutableArray<FoundEndpoint>> take) =>
        _running = RunAsync(take, _end.Token);

    /// <summary>Completes when nothing is asked any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _running;
        _end.Dispose();
    }

    private async Task RunAsync(
        Action<ImmutableArray<FoundEndpoint>> take, CancellationToken cancellation)
    {
        // Whoever begins it holds a lock that what it finds needs as well.
        await Task.Yield();
        while (!cancellation.IsCancellationRequested)
        {
            (ImmutableArray<FoundEndpoint> found, int goodMs, int code) = _key.Port == 0
                ? await AskForServiceAsync(cancellation)
                : await AskForHostAsync(cancellation);
            if (cancellation.IsCancellationRequested)
            {
                return;
            }

            if (code != ResolveCode.None)
            {
                _tell($"{_key.Name} could not be resolved {ResolveCode.Describe(code)}");
            }

            // An error says nothing about the addresses; that there is no such name does.
            int waitMs = Resolver.TimeoutMs;
            if (code is ResolveCode.None or ResolveCode.NotFound)
            {
                take(found);
                waitMs = code == ResolveCode.None ? goodMs
                    : Resolver.ValidMs > 0 ? Resolver.ValidMs
                    : AbsentWaitMs;
            }

            try
            {
                await Task.Delay(Math.Max(waitMs, MinWaitMs), cancellation);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task<(ImmutableArray<FoundEndpoint> Found, int GoodMs, int Code)>
        AskForHostAsync(CancellationToken cancellation)
    {
        ResolvedName name = await _client.ResolveAsync(
            _key.Name, Resolver.TimeoutMs, cancellation);
        return (
            [.. name.Addresses.Select(
                address => new FoundEndpoint(new IPEndPoint(address, _key.Port)))],
            name.GoodMs,
            name.Code);
    }

    /// <summary>Those of the lowest priority serve, the others are backups.</summary>
    private async Task<(ImmutableArray<FoundEndpoint> Found, int GoodMs, int Code)>
        AskForServiceAsync(CancellationToken cancellation)
    {
        ResolvedService service = await _client.ResolveServiceAsync(
            _key.Name, Resolver.TimeoutMs, cancellation);
        int first = service.Servers.Select(server => server.Priority).DefaultIfEmpty(0).Min();
        return (
            [
                .. from server in service.Servers
                   from address in server.Addresses
                   select new FoundEndpoint(
                       new IPEndPoint(address, server.Port),
                       Math.Clamp(server.Weight, 1, MaxWeight),
                       server.Priority > first),
            ],
            service.GoodMs,
            service.Code);
    }
}
