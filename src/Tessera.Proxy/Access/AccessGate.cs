using System.Net;
using Tessera.Linux.Net;

namespace Tessera.Proxy.Access;

/// <summary>What a gate says of a request.</summary>
internal enum GateVerdict : byte
{
    Pass,

    /// <summary>403.</summary>
    Forbidden,

    /// <summary>401, with a challenge.</summary>
    Unauthorized,
}

/// <summary>Decides who may use a route. Immutable.</summary>
internal sealed class AccessGate
{
    private readonly AccessConfig _config;

    public AccessGate(AccessConfig config) => _config = config;

    public GateVerdict Check(in InternetAddress peer)
    {
        IPAddress address = peer.ToIPAddress();
        foreach (AddressRule rule in _config.Addresses)
        {
            if (rule.Network is not { } network || network.Contains(address))
            {
                return rule.IsAllowed ? GateVerdict.Pass : GateVerdict.Forbidden;
            }
        }

        return GateVerdict.Pass;
    }
}
