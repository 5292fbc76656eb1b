using System.Net;

namespace Tessera.Proxy.Resolving;

/// <summary>The addresses of a name.</summary>
/// <param name="GoodMs">How long they may be used.</param>
/// <param name="Code">Why there are none, see <see cref="ResolveCode"/>.</param>
internal sealed record ResolvedName(
    IReadOnlyList<IPAddress> Addresses, int GoodMs, int Code = ResolveCode.None)
{
    public static ResolvedName Failed(int code) => new([], 0, code);
}

/// <summary>The servers of a service.</summary>
/// <param name="Code">
/// Why there are none, or that the addresses of some could not be found out.
/// </param>
internal sealed record ResolvedService(
    IReadOnlyList<ServiceServer> Servers, int GoodMs, int Code = ResolveCode.None);

/// <param name="Priority">The lowest comes first.</param>
internal sealed record ServiceServer(
    int Priority, int Weight, int Port, IReadOnlyList<IPAddress> Addresses);
