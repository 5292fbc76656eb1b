using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Tessera.Linux.Net;

namespace Tessera.Proxy.Access;

/// <summary>
/// Networks that are let in or kept out, the first that holds decides: nginx's allow and deny. An
/// IPv4 address that comes mapped into IPv6 (RFC 4291 section 2.5.5.2) is the IPv4 address, in
/// rules and clients alike. Immutable.
/// </summary>
internal sealed class AddressRules
{
    private readonly Rule[] _rules;

    public AddressRules(IEnumerable<AddressRule> rules) => _rules = [.. rules.Select(Ready)];

    /// <summary>Null when no rule holds.</summary>
    public bool? Find(in InternetAddress peer)
    {
        bool isIPv4 = false;
        UInt128 address = peer.IsUnix ? 0 : Read(peer.Host, out isIPv4);
        foreach (ref readonly Rule rule in _rules.AsSpan())
        {
            if (rule.IsForAll
                || (peer.IsUnix
                    ? rule.IsUnix
                    : !rule.IsUnix && rule.IsIPv4 == isIPv4
                        && (address & rule.Mask) == rule.Network))
            {
                return rule.IsAllowed;
            }
        }

        return null;
    }

    private static Rule Ready(AddressRule rule)
    {
        if (rule.IsUnix)
        {
            return new Rule(rule.IsAllowed, IsForAll: false, IsIPv4: false, 0, 0, IsUnix: true);
        }

        if (rule.Network is not { } network)
        {
            return new Rule(rule.IsAllowed, IsForAll: true, IsIPv4: false, 0, 0);
        }

        Span<byte> bytes = stackalloc byte[16];
        network.BaseAddress.TryWriteBytes(bytes, out int written);
        UInt128 address = Read(bytes[..written], out bool isIPv4);

        // A mapped network is an IPv4 one only when its prefix covers the mapping.
        bool isMapped = isIPv4 && network.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6;
        if (isMapped && network.PrefixLength < 96)
        {
            address = BinaryPrimitives.ReadUInt128BigEndian(bytes);
            isIPv4 = false;
        }

        int bits = isIPv4 && !isMapped ? network.PrefixLength + 96 : network.PrefixLength;
        UInt128 mask = bits == 0 ? 0 : UInt128.MaxValue << (128 - bits);
        mask &= isIPv4 ? uint.MaxValue : UInt128.MaxValue;
        return new Rule(rule.IsAllowed, IsForAll: false, isIPv4, address & mask, mask);
    }

    private static UInt128 Read(ReadOnlySpan<byte> host, out bool isIPv4)
    {
        isIPv4 = host.Length == 4;
        if (isIPv4)
        {
            return BinaryPrimitives.ReadUInt32BigEndian(host);
        }

        UInt128 address = BinaryPrimitives.ReadUInt128BigEndian(host);
        isIPv4 = (address >> 32) == 0xFFFF;
        return isIPv4 ? (uint)address : address;
    }

    private readonly record struct Rule(
        bool IsAllowed, bool IsForAll, bool IsIPv4, UInt128 Network, UInt128 Mask,
        bool IsUnix = false);
}
