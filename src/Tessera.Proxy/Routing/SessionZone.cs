using System.Collections.Concurrent;
using System.Text;

namespace Tessera.Proxy.Routing;

/// <summary>
/// Which endpoint serves which session, as it was learnt: nginx's zone of sticky learn. Bounded;
/// when it is full, sessions that have expired go first. Shared by all reactors: to look costs no
/// lock, to learn a moment's one of a part of the table.
/// </summary>
internal sealed class SessionZone
{
    /// <summary>Longer texts are no sessions.</summary>
    private const int MaxKeyBytes = 1_024;

    /// <summary>Of a full table without expired sessions, this part makes room at once.</summary>
    private const int EvictedPart = 16;

    private readonly ConcurrentDictionary<string, Session> _sessions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Session>.AlternateLookup<ReadOnlySpan<char>>
        _lookup;

    public SessionZone(LearnConfig config)
    {
        Config = config;
        _lookup = _sessions.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public LearnConfig Config { get; }

    public int Count => _sessions.Count;

    /// <summary>The name of the session's endpoint; null when there is none.</summary>
    public byte[]? Find(ReadOnlySpan<byte> key, long nowMs)
    {
        if (key.Length > MaxKeyBytes)
        {
            return null;
        }

        Span<char> text = stackalloc char[MaxKeyBytes];
        int length = Encoding.Latin1.GetChars(key, text);
        return _lookup.TryGetValue(text[..length], out Session session)
            && session.ExpiresMs > nowMs
                ? session.Endpoint
                : null;
    }

    /// <summary>The session was served by an endpoint, and lasts from now on.</summary>
    public void Learn(ReadOnlySpan<byte> key, byte[] endpoint, long nowMs)
    {
        if (key.IsEmpty || key.Length > MaxKeyBytes)
        {
            return;
        }

        if (_sessions.Count >= Config.MaxSessions)
        {
            Evict(nowMs);
        }

        Span<char> text = stackalloc char[MaxKeyBytes];
        int length = Encoding.Latin1.GetChars(key, text);
        _lookup[text[..length]] = new Session(endpoint, nowMs + Config.TimeoutMs);
    }

    /// <summary>As <see cref="Learn"/>, if the session is known.</summary>
    public void Prolong(ReadOnlySpan<byte> key, byte[] endpoint, long nowMs)
    {
        if (Find(key, nowMs) is not null)
        {
            Learn(key, endpoint, nowMs);
        }
    }

    private void Evict(long nowMs)
    {
        int wanted = Math.Max(1, Config.MaxSessions / EvictedPart);
        foreach ((string key, Session session) in _sessions)
        {
            if (session.ExpiresMs <= nowMs)
            {
                _sessions.TryRemove(key, out _);
                wanted--;
            }
        }

        foreach ((string key, _) in _sessions)
        {
            if (wanted-- <= 0)
            {
                break;
            }

            _sessions.TryRemove(key, out _);
        }
    }

    /// <param name="Endpoint">Its name.</param>
    /// <param name="ExpiresMs">On the reactors' clock.</param>
    private readonly record struct Session(byte[] Endpoint, long ExpiresMs);
}
