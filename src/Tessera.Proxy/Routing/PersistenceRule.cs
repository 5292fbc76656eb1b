using System.Security.Cryptography;
using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>
/// Keeps clients on their endpoints as nginx's sticky does, made ready for one set of endpoints.
/// Immutable, but for the sessions.
/// </summary>
internal sealed class PersistenceRule
{
    private readonly Template[] _lookup;
    private readonly Template[] _create;
    private readonly Endpoint[] _endpoints;
    private readonly byte[][] _names;

    /// <param name="before">The backend's rule until now, whose sessions may live on.</param>
    /// <param name="keepsTexts">The texts are those of <paramref name="before"/>.</param>
    public PersistenceRule(
        PersistenceConfig config, Endpoint[] endpoints, PersistenceRule? before, bool keepsTexts)
    {
        bool isKept = keepsTexts && before is not null;
        _lookup = isKept ? before!._lookup : [.. config.Lookup.Select(Template.Parse)];
        _create = isKept ? before!._create
            : [.. (config.Learn?.Create ?? []).Select(Template.Parse)];
        Cookie = isKept ? before!.Cookie
            : config.Cookie is null ? null
            : new PersistenceCookie(config.Cookie);
        Sessions = config.Learn is not { } learn ? null
            : before?.Sessions is { } sessions && IsSame(sessions.Config, learn) ? sessions
            : new SessionZone(learn);
        bool namesAll = Cookie is not null || Sessions is not null;
        _endpoints = endpoints;
        _names = Array.ConvertAll(endpoints, endpoint => NameOf(endpoint, namesAll));
    }

    /// <summary>Null where no cookie is sent.</summary>
    private PersistenceCookie? Cookie { get; }

    /// <summary>Null where the client names the endpoint itself.</summary>
    private SessionZone? Sessions { get; }

    /// <summary>
    /// The endpoint that the request is bound to, if it can be used. A backup is found by its name
    /// only when every other endpoint is out of the question.
    /// </summary>
    public Endpoint? Find(Exchange exchange, long nowMs)
    {
        using EvaluatedText text = FirstOf(_lookup, exchange);
        ReadOnlySpan<byte> name = text.Text;
        if (Sessions is not null)
        {
            name = name.IsEmpty ? default : Sessions.Find(name, nowMs);
        }

        if (name.IsEmpty)
        {
            return null;
        }

        bool isPrimaryLeft = false;
        Endpoint? backup = null;
        for (int i = 0; i < _endpoints.Length; i++)
        {
            Endpoint endpoint = _endpoints[i];
            if (!endpoint.Takes(isBound: true) || endpoint.IsAvoided(nowMs)
                || exchange.Tried.Contains(endpoint))
            {
                continue;
            }

            bool isNamed = name.SequenceEqual(_names[i]);
            if (isNamed && !endpoint.Config.IsBackup)
            {
                return endpoint;
            }

            isPrimaryLeft |= !endpoint.Config.IsBackup && endpoint.State == EndpointState.Active;
            backup ??= isNamed ? endpoint : null;
        }

        return isPrimaryLeft ? null : backup;
    }

    /// <summary>
    /// The head of an endpoint's response is there, and becomes the client's: binds the client.
    /// What is to be learnt at the response's end is noted in the exchange.
    /// </summary>
    public void NoteReplyHead(Exchange exchange, Endpoint endpoint, long nowMs)
    {
        int index = Array.IndexOf(_endpoints, endpoint);
        if (index < 0)
        {
            return;
        }

        byte[] name = _names[index];
        Cookie?.AddTo(exchange, name);
        if (Sessions is null)
        {
            return;
        }

        using EvaluatedText created = FirstOf(_create, exchange);
        using EvaluatedText used = FirstOf(_lookup, exchange);
        bool isNew = !created.Text.IsEmpty;
        var learnt = new LearntSession(Sessions, name, isNew);
        if (Sessions.Config.IsFromHead)
        {
            learnt.Keep(isNew ? created.Text : used.Text, nowMs);
        }
        else
        {
            exchange.NoteLearnt(learnt, isNew ? created.Text : used.Text);
        }
    }

    private static EvaluatedText FirstOf(Template[] texts, Exchange exchange)
    {
        for (int i = 0; ; i++)
        {
            if (i == texts.Length)
            {
                return default;
            }

            EvaluatedText text = EvaluatedText.Of(texts[i], exchange);
            if (!text.Text.IsEmpty)
            {
                return text;
            }

            text.Dispose();
        }
    }

    private static bool IsSame(LearnConfig a, LearnConfig b) =>
        a.Zone == b.Zone && a.MaxSessions == b.MaxSessions && a.TimeoutMs == b.TimeoutMs
        && a.IsFromHead == b.IsFromHead;

    /// <summary>As nginx names them; nothing hides behind the digest.</summary>
    private static byte[] NameOf(Endpoint endpoint, bool namesAll)
    {
        if (endpoint.Config.Route is { } route)
        {
            return Encoding.UTF8.GetBytes(route);
        }

        if (!namesAll)
        {
            return [];
        }

#pragma warning disable CA5351 // The digest is a short name of a public address, no secret.
        byte[] digest = MD5.HashData(endpoint.AddressText);
#pragma warning restore CA5351
        return Encoding.ASCII.GetBytes(Convert.ToHexStringLower(digest));
    }
}

/// <summary>What a response tells of its client's session.</summary>
/// <param name="Endpoint">The name of the endpoint that gave it.</param>
/// <param name="IsNew">The session begins, or goes on elsewhere; else it is prolonged.</param>
internal readonly record struct LearntSession(SessionZone Sessions, byte[] Endpoint, bool IsNew)
{
    public void Keep(ReadOnlySpan<byte> key, long nowMs)
    {
        if (IsNew)
        {
            Sessions.Learn(key, Endpoint, nowMs);
        }
        else
        {
            Sessions.Prolong(key, Endpoint, nowMs);
        }
    }
}
