using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;

namespace Tessera.Daemon;

/// <summary>
/// Addresses of external endpoints' hosts, as last looked up. A name that cannot be resolved keeps
/// its last known addresses. Safe from any thread.
/// </summary>
internal sealed class ExternalHosts(Action<string> log)
{
    private static readonly TimeSpan LookUpLimit = TimeSpan.FromSeconds(5);

    private ImmutableDictionary<string, ImmutableArray<IPAddress>> _addresses =
        ImmutableDictionary<string, ImmutableArray<IPAddress>>.Empty;

    /// <summary>Empty for a name that was never resolved.</summary>
    public ImmutableArray<IPAddress> AddressesOf(string host) =>
        IPAddress.TryParse(host, out IPAddress? literal)
            ? [literal]
            : Volatile.Read(ref _addresses).GetValueOrDefault(host, []);

    /// <summary>
    /// Looks the names among <paramref name="hosts"/> up, each within five seconds. Returns whether
    /// anything changed. Never throws.
    /// </summary>
    public async Task<bool> ResolveAsync(IEnumerable<string> hosts)
    {
        bool[] changes = await Task.WhenAll(hosts
            .Distinct().Where(host => !IPAddress.TryParse(host, out _)).Select(ResolveAsync));
        return Array.Exists(changes, hasChanged => hasChanged);
    }

    private async Task<bool> ResolveAsync(string host)
    {
        try
        {
            using var limit = new CancellationTokenSource(LookUpLimit);
            IPAddress[] all = await Dns.GetHostAddressesAsync(host, limit.Token);
            // One address family, so that a dual-stack server does not count as two.
            IPAddress[] v4 = Array.FindAll(all, a => a.AddressFamily == AddressFamily.InterNetwork);
            ImmutableArray<IPAddress> found =
                [.. (v4.Length > 0 ? v4 : all).OrderBy(a => a.ToString(), StringComparer.Ordinal)];
            if (found.IsEmpty || found.SequenceEqual(AddressesOf(host)))
            {
                return false;
            }

            ImmutableInterlocked.AddOrUpdate(ref _addresses, host, found, (_, _) => found);
            return true;
        }
        catch (Exception e) when (
            e is SocketException or OperationCanceledException or ArgumentException)
        {
            log($"external endpoint {host} cannot be resolved: {e.Message}");
            return false;
        }
    }
}
