namespace Tessera.Proxy;

/// <summary>What is held against an endpoint, from nothing to most.</summary>
public enum HealthState
{
    /// <summary>Nothing.</summary>
    Well,

    /// <summary>
    /// Its requests failed <see cref="EndpointConfig.MaxFails"/> times: others go first.
    /// </summary>
    Avoided,

    /// <summary>It failed more than others (<see cref="OutlierConfig"/>): it rests.</summary>
    Ejected,

    /// <summary>
    /// It does not pass its probe (<see cref="HealthProbeConfig"/>), or was not asked yet.
    /// </summary>
    FailingProbe,
}

/// <summary>How an endpoint is.</summary>
/// <param name="Reason">In words; empty when it is well.</param>
/// <param name="Since">When it became so.</param>
public sealed record HealthStatus(HealthState State, string Reason, DateTimeOffset Since);
