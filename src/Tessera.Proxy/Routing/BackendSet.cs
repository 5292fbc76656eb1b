using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>
/// What a backend consists of under one configuration. Immutable; the counters of its endpoints are
/// not part of it.
/// </summary>
internal sealed class BackendSet
{
    /// <param name="before">The backend's set until now, whose ring may serve on.</param>
    /// <param name="keepsTexts">
    /// Only the endpoints differ from <paramref name="before"/>; no text is read.
    /// </param>
    public BackendSet(
        BackendConfig config, Endpoint[] endpoints, BackendSet? before = null,
        bool keepsTexts = false)
    {
        Config = config;
        Endpoints = endpoints;
        Primary = new EndpointGroup(
            config,
            Array.FindAll(endpoints, e => !e.Config.IsBackup),
            config.Places.AsSpan(),
            isBackup: false,
            before?.Primary.Ring);
        Backup = new EndpointGroup(
            config,
            Array.FindAll(endpoints, e => e.Config.IsBackup),
            default,
            isBackup: true,
            before?.Backup.Ring);
        Active = [.. Primary.Active, .. Backup.Active];
        IsLimited = Array.Exists(Active, e => e.Config.MaxConnections > 0);
        Sticky = config.Sticky is null ? null : new StickyCookies(config.Sticky, endpoints);
        Persistence = config.Persistence is null
            ? null
            : new PersistenceRule(
                config.Persistence, endpoints, before?.Persistence, keepsTexts);
        HashKey = config.Algorithm
            is not (BalanceAlgorithm.Hash or BalanceAlgorithm.ConsistentHash) ? null
            : keepsTexts ? before?.HashKey
            : Template.Parse(config.HashKey);
    }

    public BackendConfig Config { get; }

    public BackendLimits Limits => Config.Limits;

    /// <summary>All endpoints, in the order of the configuration.</summary>
    public Endpoint[] Endpoints { get; }

    public EndpointGroup Primary { get; }

    /// <summary>Asked when no primary endpoint can take a request.</summary>
    public EndpointGroup Backup { get; }

    /// <summary>Those that get requests: active, and of a weight; backups behind others.</summary>
    public Endpoint[] Active { get; }

    /// <summary>Some of the active ones take so many requests at once and no more.</summary>
    public bool IsLimited { get; }

    /// <summary>Null when clients are not bound to their endpoints.</summary>
    public StickyCookies? Sticky { get; }

    /// <summary>Null when clients are not bound in nginx's way.</summary>
    public PersistenceRule? Persistence { get; }

    /// <summary>Null unless the algorithm hashes it.</summary>
    public Template? HashKey { get; }
}
