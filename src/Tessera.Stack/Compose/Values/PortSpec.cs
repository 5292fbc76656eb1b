using System.Globalization;
using System.Net;

namespace Tessera.Stack.Compose.Values;

/// <summary>One port of a service. Empty strings where the text says nothing.</summary>
/// <param name="Published">A port or a range (<c>8000-8010</c>) to choose from.</param>
internal readonly record struct PortSpec(
    string HostIp, string Published, int Target, string Protocol)
{
    /// <summary>Ranges are written out; longer ones are a mistake.</summary>
    public const int MaxRangeLength = 4_096;

    /// <summary>
    /// Reads the short form <c>[[ip:][published]:]target[/protocol]</c>, both ports possibly
    /// ranges.
    /// </summary>
    /// <param name="problem">What is wrong, as the end of a sentence; empty when nothing
    /// is.</param>
    public static IReadOnlyList<PortSpec> Parse(string text, out string problem)
    {
        problem = "";
        string rest = text;
        string protocol = "tcp";
        int slash = text.LastIndexOf('/');
        if (slash >= 0)
        {
            protocol = text[(slash + 1)..].ToLowerInvariant();
            rest = text[..slash];
        }

        if (protocol is not ("tcp" or "udp" or "sctp"))
        {
            problem = $"the protocol is tcp, udp or sctp, not \"{protocol}\"";
            return [];
        }

        Split(rest, out string hostIp, out string published, out string target);
        if (hostIp.Length > 0 && !IsAddress(hostIp))
        {
            problem = $"\"{hostIp}\" is no IP address";
            return [];
        }

        if (!TryRange(target, out int firstTarget, out int lastTarget))
        {
            problem = target.Length == 0
                ? "the port of the service is missing"
                : $"\"{target}\" is no port or range of ports (1 to 65535)";
            return [];
        }

        if (published.Length == 0)
        {
            return Sorted(firstTarget, lastTarget, port => new(hostIp, "", port, protocol));
        }

        if (!TryRange(published, out int first, out int last))
        {
            problem = $"\"{published}\" is no port or range of ports (1 to 65535)";
            return [];
        }

        if (firstTarget == lastTarget)
        {
            string choice = first == last ? Digits(first) : $"{Digits(first)}-{Digits(last)}";
            return [new PortSpec(hostIp, choice, firstTarget, protocol)];
        }

        if (last - first != lastTarget - firstTarget)
        {
            problem = $"the ranges {published} and {target} are not of the same length";
            return [];
        }

        int offset = first - firstTarget;
        return Sorted(
            firstTarget, lastTarget, port => new(hostIp, Digits(port + offset), port, protocol));
    }

    /// <summary>A port, or two with a hyphen between; 0 is none.</summary>
    public static bool TryRange(string text, out int first, out int last)
    {
        int hyphen = text.IndexOf('-', StringComparison.Ordinal);
        last = 0;
        if (!TryPort(hyphen < 0 ? text : text[..hyphen], out first))
        {
            return false;
        }

        last = first;
        return (hyphen < 0 || TryPort(text[(hyphen + 1)..], out last))
            && first <= last && last - first < MaxRangeLength;
    }

    public static bool TryPort(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port)
            && port is >= 1 and <= 65_535;

    /// <summary>Not <c>127.1</c> or <c>0x7f.1</c>, which inet_aton(3) takes for
    /// addresses.</summary>
    private static bool IsAddress(string text) => IPAddress.TryParse(text, out _)
        && (text.Contains(':', StringComparison.Ordinal) || text.Count(c => c == '.') == 3);

    private static void Split(
        string text, out string hostIp, out string published, out string target)
    {
        int last = text.LastIndexOf(':');
        target = text[(last + 1)..];
        string before = last < 0 ? "" : text[..last];
        int middle = before.LastIndexOf(':');
        published = before[(middle + 1)..];
        hostIp = middle < 0 ? "" : before[..middle];
        if (hostIp.StartsWith('[') && hostIp.EndsWith(']'))
        {
            hostIp = hostIp[1..^1];
        }
    }

    /// <summary>Compose prints the ports of a range in the order of their text.</summary>
    private static PortSpec[] Sorted(int first, int last, Func<int, PortSpec> make) =>
        [.. Enumerable.Range(first, last - first + 1)
            .OrderBy(port => Digits(port) + "/", StringComparer.Ordinal)
            .Select(make)];

    private static string Digits(int port) => port.ToString(CultureInfo.InvariantCulture);
}
