using System.Globalization;
using System.Net;
using Tessera.Proxy.Access;

namespace Tessera.Proxy.Nginx;

/// <summary>Networks as nginx writes them. Stateless.</summary>
internal static class NetworkText
{
    /// <summary>An address, or one with the length of its prefix.</summary>
    /// <exception cref="NginxConfigException">It is neither.</exception>
    public static IPNetwork Read(NginxDirective directive, string text) =>
        TryRead(text, out IPNetwork network)
            ? network
            : throw directive.Error($"invalid network \"{text}\"");

    private static bool TryRead(string text, out IPNetwork network)
    {
        network = default;
        string[] parts = text.Split('/', 2);
        int bits = -1;
        bool isNetwork = IPAddress.TryParse(parts[0], out IPAddress? address)
            && parts[0].AsSpan().ContainsAny('.', ':')
            && (parts.Length == 1 || TryReadPrefix(parts[1], out bits));
        int length = isNetwork ? address!.GetAddressBytes().Length * 8 : 0;
        bits = bits < 0 ? length : bits;
        if (!isNetwork || bits > length)
        {
            return false;
        }

        network = new IPNetwork(Cut(address!, bits), bits);
        return true;
    }

    /// <summary>Whether it is an address, or one with the length of its prefix.</summary>
    public static bool IsNetwork(string text) => TryRead(text, out _);

    /// <summary>Warns where an address has bits behind the prefix.</summary>
    public static void WarnOfLowBits(NginxDirective directive, string text, Action<string> warn)
    {
        if (HasLowBits(text))
        {
            warn(directive.Error(LowBits(text)).Message);
        }
    }

    /// <summary>allow, deny: an address, a network, "all" or "unix:".</summary>
    public static void CheckRule(NginxDirective rule, DirectiveCheck check)
    {
        if (rule.Value is "all" or "unix:")
        {
            return;
        }

        if (!IsNetwork(rule.Value))
        {
            throw rule.Error($"invalid parameter \"{rule.Value}\"");
        }

        CheckLowBits(rule, check);
    }

    /// <summary>set_real_ip_from: an address, a network, "unix:".</summary>
    public static void CheckTrusted(NginxDirective trusted, DirectiveCheck check)
    {
        if (trusted.Value == "unix:")
        {
            return;
        }

        if (!IsNetwork(trusted.Value))
        {
            throw trusted.Error($"host not found in {trusted.Name} \"{trusted.Value}\"");
        }

        CheckLowBits(trusted, check);
    }

    private static void CheckLowBits(NginxDirective directive, DirectiveCheck check)
    {
        if (HasLowBits(directive.Value))
        {
            check.Warn(directive, LowBits(directive.Value));
        }
    }

    private static string LowBits(string text) =>
        $"low address bits of {text} are meaningless";

    private static bool HasLowBits(string text) => text.Contains('/')
        && TryRead(text, out IPNetwork network)
        && !network.BaseAddress.Equals(IPAddress.Parse(text.Split('/')[0]));

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
