using System.Collections.Immutable;

namespace Tessera.Stack.Routing;

/// <summary>A server outside of Tessera's care that a service balances to.</summary>
public sealed record ExternalEndpoint(string Host, int Port, int Weight = 1)
{
    /// <summary>Gets requests only when no other can.</summary>
    public bool IsBackup { get; init; }

    /// <summary>Gets nothing.</summary>
    public bool IsDown { get; init; }

    /// <summary>In the place of the service's; null leaves it.</summary>
    public EndpointLimits? Limits { get; init; }
}

/// <summary>What one endpoint of a service may carry, and when it is avoided.</summary>
public sealed record EndpointLimits
{
    public static EndpointLimits Default { get; } = new();

    /// <summary>Requests in flight; 0 sets no limit.</summary>
    public int MaxConnections { get; init; }

    /// <summary>
    /// Failures within <see cref="FailTimeout"/>; 0 never avoids it. Null is 1 for external servers
    /// and 0 for instances, whose exit is told by whoever started them.
    /// </summary>
    public int? MaxFails { get; init; }

    public TimeSpan FailTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long its share takes to grow to the whole.</summary>
    public TimeSpan SlowStart { get; init; }
}

/// <summary>A cookie that keeps a client on its instance.</summary>
public sealed record StickyOptions
{
    public string Name { get; init; } = "tessera";

    public string Path { get; init; } = "/";

    /// <summary>Zero lasts as long as the browser runs.</summary>
    public TimeSpan Lifetime { get; init; }

    public bool IsSecure { get; init; }
}

/// <summary>How the balancer asks an endpoint whether it is well.</summary>
public sealed record ProbeOptions
{
    /// <summary>False only connects.</summary>
    public bool IsHttp { get; init; } = true;

    public string Path { get; init; } = "/";

    public string? Host { get; init; }

    public int MinStatus { get; init; } = 200;

    public int MaxStatus { get; init; } = 399;

    public string? BodyContains { get; init; }

    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(5);

    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(2);

    public int Rises { get; init; } = 2;

    public int Falls { get; init; } = 3;

    /// <summary>Below so many percent of well endpoints all are used.</summary>
    public int MinHealthyPercent { get; init; } = 50;
}

/// <summary>When an endpoint is taken out for what its traffic shows.</summary>
public sealed record OutlierOptions
{
    public int ConsecutiveFailures { get; init; } = 5;

    public int FailurePercent { get; init; }

    public int MinRequests { get; init; } = 20;

    public TimeSpan Window { get; init; } = TimeSpan.FromSeconds(10);

    public TimeSpan Ejection { get; init; } = TimeSpan.FromSeconds(30);

    public int MaxEjectedPercent { get; init; } = 50;
}

/// <summary>When a request is tried on another endpoint.</summary>
public sealed record RetryOptions
{
    /// <summary>nginx's words: <c>error</c>, <c>timeout</c>, <c>http_503</c> …</summary>
    public ImmutableArray<string> On { get; init; } = ["error", "timeout"];

    /// <summary>0 tries each endpoint once.</summary>
    public int Tries { get; init; }

    /// <summary>Zero sets no limit.</summary>
    public TimeSpan Timeout { get; init; }

    public int BudgetPercent { get; init; } = 20;

    public int ReplayBytes { get; init; } = 64 * 1_024;

    public int BufferBytes { get; init; }
}
