using System.Collections.Immutable;
using System.Net;

namespace Tessera.Proxy;

/// <summary>An address that could not be listened on, and why.</summary>
public sealed record ListenFailure(IPEndPoint Address, string Reason);

/// <summary>What one endpoint carries at this moment.</summary>
public sealed record EndpointStatus(
    string Backend, string Endpoint, EndpointState State, int InFlight, long Requests, long Failures);

/// <summary>What one backend carries at this moment.</summary>
public sealed record BackendStatus(
    string Backend, int Held, ImmutableArray<EndpointStatus> Endpoints);

/// <summary>
/// The data plane: owns the reactors and applies configurations to them. Safe to call from any
/// thread.
/// </summary>
public sealed class ProxyServer : IAsyncDisposable
{
    public ProxyServer(ProxyOptions options) => _ = options;

    /// <summary>
    /// Swaps to <paramref name="config"/> in one step. When it returns, no reactor picks an endpoint
    /// that is not <see cref="EndpointState.Active"/> in it. Listeners that fail to bind are left
    /// out and returned; everything else is in force.
    /// </summary>
    public ImmutableArray<ListenFailure> Apply(ProxyConfig config) => [];

    /// <summary>
    /// Waits until nothing is in flight on an endpoint, at most <paramref name="timeout"/>. The
    /// endpoint must be out of rotation in the applied configuration. Returns what was still in
    /// flight at the end: 0 when it drained.
    /// </summary>
    public Task<int> DrainAsync(
        string backend, string endpoint, TimeSpan timeout, CancellationToken cancellation) =>
        Task.FromResult(0);

    public ImmutableArray<BackendStatus> GetStatus() => [];

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
