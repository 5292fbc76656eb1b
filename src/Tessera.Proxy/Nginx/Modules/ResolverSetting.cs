using System.Collections.Immutable;
using System.Net;

namespace Tessera.Proxy.Nginx;

/// <summary>resolver and resolver_timeout. Stateless.</summary>
internal static class ResolverSetting
{
    /// <summary>Null where nobody is to be asked.</summary>
    public static ResolverConfig? Read(NginxScope scope) =>
        scope.Find("resolver") is { Value: not "off" } resolver
            ? Read(resolver) with
            {
                TimeoutMs = scope.Milliseconds("resolver_timeout", 30_000),
            }
            : null;

    /// <exception cref="NginxConfigException">It is wrong.</exception>
    public static void Check(NginxDirective resolver)
    {
        if (resolver.Value != "off")
        {
            Read(resolver);
        }
    }

    private static ResolverConfig Read(NginxDirective resolver)
    {
        var servers = ImmutableArray.CreateBuilder<string>();
        var config = new ResolverConfig { Servers = [] };
        foreach (string argument in resolver.Arguments)
        {
            string[] pair = argument.Split('=', 2);
            switch (pair)
            {
                case ["valid", var time] when NginxValue.TryMilliseconds(time, out int validMs):
                    config = config with { ValidMs = validMs };
                    break;
                case ["ipv4", "on" or "off"]:
                    config = config with { AsksIPv4 = pair[1] == "on" };
                    break;
                case ["ipv6", "on" or "off"]:
                    config = config with { AsksIPv6 = pair[1] == "on" };
                    break;
                case ["status_zone", _]:
                    break;
                case ["valid" or "ipv4" or "ipv6", _]:
                    throw resolver.Error($"invalid parameter: {argument}");
                default:
                    servers.AddRange(ReadServer(resolver, argument));
                    break;
            }
        }

        if (servers.Count == 0)
        {
            throw resolver.Error("no name servers defined");
        }

        return !config.AsksIPv4 && !config.AsksIPv6
            ? throw resolver.Error("\"ipv4\" and \"ipv6\" cannot both be \"off\"")
            : config with { Servers = servers.ToImmutable() };
    }

    private static IEnumerable<string> ReadServer(NginxDirective resolver, string text)
    {
        if (IPEndPoint.TryParse(text, out IPEndPoint? address))
        {
            address.Port = address.Port == 0 ? 53 : address.Port;
            return [address.ToString()];
        }

        int colon = text.LastIndexOf(':');
        string name = colon < 0 ? text : text[..colon];
        string port = colon < 0 ? "53" : text[(colon + 1)..];
        if (!ushort.TryParse(port, out ushort number) || number == 0)
        {
            throw resolver.Error($"invalid port in resolver \"{text}\"");
        }

        try
        {
            return UpstreamServer.Resolve(resolver, name, port).Select(one => one.ToString());
        }
        catch (NginxConfigException)
        {
            throw resolver.Error($"host not found in resolver \"{text}\"");
        }
    }
}
