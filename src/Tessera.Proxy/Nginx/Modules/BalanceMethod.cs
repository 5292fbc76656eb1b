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
                "sticky" => config with { Persistence = StickyMethod.Read(directive) },
                _ => config,
            };
        }

        return config;
    }

    /// <summary>The last method counts, and what is kept open is told behind it.</summary>
    public static void CheckOrder(NginxDirective upstream, DirectiveCheck check)
    {
        bool hasMethod = false;
        foreach (NginxDirective directive in upstream.Block!.Value)
        {
            bool isMethod = directive.Name
                is "ip_hash" or "least_conn" or "least_time" or "random" or "hash" or "fair";
            if (isMethod && hasMethod)
            {
                check.Warn(directive, "load balancing method redefined");
            }

            hasMethod |= isMethod || directive.Name == "keepalive";
        }
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
}
