using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>
/// Keeps a client on its endpoint by a text of its requests: nginx's sticky. The text names the
/// endpoint, or is a session of which an endpoint was learnt.
/// </summary>
public sealed record PersistenceConfig
{
    /// <summary>Texts with variables; the first that is not empty counts.</summary>
    public ImmutableArray<string> Lookup { get; init; } = [];

    /// <summary>Goes to the client with every response; null sends none.</summary>
    public PersistenceCookieConfig? Cookie { get; init; }

    /// <summary>Null takes the text for the endpoint's name.</summary>
    public LearnConfig? Learn { get; init; }
}

/// <summary>A cookie that names the endpoint: nginx's sticky cookie.</summary>
public sealed record PersistenceCookieConfig(string Name)
{
    /// <summary>
    /// In seconds; 0 lasts as long as the browser runs, <see cref="MaxLifetimeSeconds"/> for ever.
    /// </summary>
    public int LifetimeSeconds { get; init; }

    /// <summary>Of a cookie that does not expire.</summary>
    public const int MaxLifetimeSeconds = 315_360_000;

    /// <summary>A text with variables; one that comes to nothing leaves it out.</summary>
    public string? Domain { get; init; }

    /// <summary>Null leaves it out.</summary>
    public string? Path { get; init; }

    /// <summary>
    /// A text with variables: strict, lax or none; nothing leaves it out, all else is strict.
    /// </summary>
    public string? SameSite { get; init; }

    public bool IsHttpOnly { get; init; }

    public bool IsSecure { get; init; }
}

/// <summary>Sessions whose endpoints are learnt from responses: nginx's sticky learn.</summary>
/// <param name="Zone">Its name; what it holds stays while name and size do.</param>
/// <param name="MaxSessions">1 or more.</param>
/// <param name="Create">Texts with variables; the first that is not empty is a session.</param>
public sealed record LearnConfig(string Zone, int MaxSessions, ImmutableArray<string> Create)
{
    /// <summary>How long a session lasts that is not used, in milliseconds.</summary>
    public int TimeoutMs { get; init; } = 600_000;

    /// <summary>Learnt once the response's head is there; else at the response's end.</summary>
    public bool IsFromHead { get; init; }
}
