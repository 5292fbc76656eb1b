using System.Globalization;
using System.Net;
using Tessera.Proxy.Access;

namespace Tessera.Proxy.Nginx;

/// <summary>Networks as nginx writes them. Stateless.</summary>
internal static class NetworkText
{
    /// <summary>An address, or one with the length of its prefix; what is behind that is cut.</summary>
    /// <exception cref="NginxConfigException">It is neither.</exception>
    public static IPNetwork Read(NginxDirective directive, string text)
    {
        string[] parts = text.Split('/', 2);
        int bits = -1;
        bool isNetwork = IPAddress.TryParse(parts[0], out IPAddress? address)
            && parts[0].AsSpan().ContainsAny('.', ':')
            && (parts.Length == 1 || TryReadPrefix(parts[1], out bits));
        int length = isNetwork ? address!.GetAddressBytes().Length * 8 : 0;
        bits = bits < 0 ? length : bits;
        if (!isNetwork || bits > length)
        {
            throw directive.Error($"invalid network \"{text}\"");
        }

        return new IPNetwork(Cut(address!, bits), bits);
    }

    /// <summary>Its first and its last address.</summary>
    public static (UInt128 First, UInt128 Last) RangeOf(IPNetwork network)
    {
        UInt128 first = AddressText.Of(network.BaseAddress);
        int free = (network.BaseAddress.GetAddressBytes().Length * 8) - network.PrefixLength;
        return (first, first | (free == 128 ? UInt128.MaxValue : (UInt128.One << free) - 1));
    }

    private static bool TryReadPrefix(string text, out int bits) => int.TryParse(
        text, NumberStyles.None, CultureInfo.InvariantCulture, out bits);

    private static IPAddress Cut(IPAddress address, int bits)
    {
        byte[] bytes = address.GetAddressBytes();
        for (int i = 0; i < bytes.Length; i++)
        {
            int kept = Math.Clamp(bits - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xFF << (8 - kept));
        }

        return new IPAddress(bytes);
    }
}
