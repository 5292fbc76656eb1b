using System.Security.Cryptography;
using System.Text;

namespace Tessera.Proxy.Nginx;

/// <summary>How an upstream chooses: ip_hash, least_conn, hash and so on. Stateless.</summary>
internal static class BalanceMethod
{
    public static BackendConfig Apply(NginxScope upstream, BackendConfig config)
    {
        foreach (NginxDirective directive in upstream.Directives)
        {
            config = directive.Name switch
            {
                "ip_hash" => config with { Algorithm = BalanceAlgorithm.IpHash },
                "least_conn" => config with { Algorithm = BalanceAlgorithm.LeastConnections },
                "least_time" => config with { Algorithm = ReadLeastTime(directive) },
                "fair" => config with { Algorithm = BalanceAlgorithm.LeastTimeLastByte },
                "random" => config with { Algorithm = ReadRandom(directive) },
                "hash" => ReadHash(directive, config),
                "hash_method" when directive.Value != "crc32" => throw directive.Error(
                    $"invalid parameter \"{directive.Value}\""),
                "sticky" => config with { Sticky = ReadSticky(directive) },
                _ => config,
            };
        }

        return config;
    }

    private static BalanceAlgorithm ReadLeastTime(NginxDirective directive)
    {
        if (directive.Arguments is [_, not "inflight"])
        {
            throw directive.Error($"invalid parameter \"{directive.Arguments[1]}\"");
        }

        return directive.Value switch
        {
            "header" => BalanceAlgorithm.LeastTimeFirstByte,
            "last_byte" => BalanceAlgorithm.LeastTimeLastByte,
            _ => throw directive.Error($"invalid parameter \"{directive.Value}\""),
        };
    }

    private static BalanceAlgorithm ReadRandom(NginxDirective directive) =>
        directive.Arguments switch
        {
            [] => BalanceAlgorithm.Random,
            ["two"] or ["two", "least_conn"] or ["two", "least_time=header"]
                or ["two", "least_time=last_byte"] => BalanceAlgorithm.RandomTwo,
            ["two", var method] => throw directive.Error($"invalid parameter \"{method}\""),
            _ => throw directive.Error($"invalid parameter \"{directive.Value}\""),
        };

    private static BackendConfig ReadHash(NginxDirective directive, BackendConfig config) =>
        config with
        {
            HashKey = directive.Value,
            Algorithm = directive.Arguments switch
            {
                [_] => BalanceAlgorithm.Hash,
                [_, "consistent"] => BalanceAlgorithm.ConsistentHash,
                _ => throw directive.Error($"invalid parameter \"{directive.Arguments[1]}\""),
            },
        };

    /// <summary>
    /// The cookie's value names the server, under a key that stays the same while the file's does:
    /// several programs with the same file know each other's cookies.
    /// </summary>
    private static StickyConfig? ReadSticky(NginxDirective directive)
    {
        if (directive.Value is "route" or "learn")
        {
            throw directive.Error($"\"sticky {directive.Value}\" is not supported by Tessera");
        }

        if (directive.Value != "cookie" || directive.Arguments.Length < 2)
        {
            throw directive.Error($"invalid parameter \"{directive.Value}\"");
        }

        string name = directive.Arguments[1];
        byte[] key = SHA256.HashData(Encoding.UTF8.GetBytes("sticky cookie " + name));
        var sticky = new StickyConfig
        {
            Name = name, Key = [.. key], Path = "", IsHttpOnly = false,
        };
        foreach (string parameter in directive.Arguments.Skip(2))
        {
            string[] pair = parameter.Split('=', 2);
            sticky = (pair[0], pair.ElementAtOrDefault(1)) switch
            {
                ("expires", "max") => sticky with { LifetimeSeconds = 315_360_000 },
                ("expires", { } time) => sticky with
                {
                    LifetimeSeconds = NginxValue.Milliseconds(directive, time) / 1_000,
                },
                ("path", { } path) => sticky with { Path = path },
                ("domain", { } domain) => sticky with { Domain = domain },
                ("httponly", null) => sticky with { IsHttpOnly = true },
                ("secure", null) => sticky with { IsSecure = true },
                ("samesite", "strict" or "lax" or "none") => sticky with { SameSite = pair[1] },
                _ => throw directive.Error($"invalid parameter \"{parameter}\""),
            };
        }

        return sticky;
    }
}
