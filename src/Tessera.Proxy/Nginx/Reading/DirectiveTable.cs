using System.Collections.Frozen;
using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Every directive that is understood, from the modules that understand it, and the check of a
/// configuration against them. Stateless.
/// </summary>
internal static class DirectiveTable
{
    private static readonly FrozenDictionary<string, DirectiveRule[]> Rules =
        new[]
        {
            AnswerModule.Directives,
            BrowserModule.Directives,
            CharsetModule.Directives,
            ClientModule.Directives,
            CoreModule.Directives,
            AccessModule.Directives,
            ContentModule.Directives,
            GeoModule.Directives,
            GzipModule.Directives,
            HttpModule.Directives,
            LimitModule.Directives,
            ListenModule.Directives,
            LocationModule.Directives,
            LogModule.Directives,
            LinkModule.Directives,
            MapModule.Directives,
            ProxyModule.Directives,
            RealIpModule.Directives,
            RedirectionModule.Directives,
            RewriteModule.Directives,
            StatusModule.Directives,
            StreamModule.Directives,
            StreamProxyModule.Directives,
            StreamUpstreams.Directives,
            StaticModule.Directives,
            UpstreamModule.Directives,
        }
        .SelectMany(directives => directives)
        .GroupBy(rule => rule.Name)
        .ToFrozenDictionary(group => group.Key, group => group.ToArray());

    /// <summary>Whether a directive is understood in a context.</summary>
    public static bool Knows(string name, NginxContext context) =>
        Rules.TryGetValue(name, out DirectiveRule[]? rules)
        && Array.Exists(rules, rule => (rule.Contexts & context) != 0);

    /// <summary>
    /// Throws the first error from the top: names that do not exist, blocks and arguments that do
    /// not fit. What nginx has and this program has not is an error too, or with
    /// <paramref name="warn"/> a warning.
    /// </summary>
    /// <param name="warn">Null makes an error of it.</param>
    /// <returns>The directives without those that were warned of.</returns>
    public static ImmutableArray<NginxDirective> Check(
        ImmutableArray<NginxDirective> directives, NginxContext context, Action<string>? warn)
    {
        var known = ImmutableArray.CreateBuilder<NginxDirective>(directives.Length);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (NginxDirective directive in directives)
        {
            if (!Rules.TryGetValue(directive.Name, out DirectiveRule[]? rules))
            {
                NginxConfigException error = UnsupportedDirectives.Names.Contains(directive.Name)
                    ? directive.Error($"directive \"{directive.Name}\" is not supported by Tessera")
                    : directive.Error($"unknown directive \"{directive.Name}\"");
                if (warn is null || !UnsupportedDirectives.Names.Contains(directive.Name))
                {
                    throw error;
                }

                warn(error.Message);
                continue;
            }

            DirectiveRule? rule = Array.Find(rules, r => (r.Contexts & context) != 0)
                ?? throw directive.Error($"\"{directive.Name}\" directive is not allowed here");
            Check(directive, rule);
            if (!seen.Add(rule.Name) && !rule.MayRepeat)
            {
                throw directive.Error($"\"{directive.Name}\" directive is duplicate");
            }

            known.Add(rule.Block is { } block && !rule.HasLines
                ? directive with { Block = Check(directive.Block!.Value, block, warn) }
                : directive);
        }

        return known.DrainToImmutable();
    }

    private static void Check(NginxDirective directive, DirectiveRule rule)
    {
        bool hasBlock = rule.Block is not null || rule.HasLines;
        if (directive.Block is null && hasBlock)
        {
            throw directive.Error($"directive \"{directive.Name}\" has no opening \"{{\"");
        }

        if (directive.Block is not null && !hasBlock)
        {
            throw directive.Error($"directive \"{directive.Name}\" is not terminated by \";\"");
        }

        int count = directive.Arguments.Length;
        if (count < rule.MinArguments || (rule.MaxArguments >= 0 && count > rule.MaxArguments))
        {
            throw directive.Error(
                $"invalid number of arguments in \"{directive.Name}\" directive");
        }

        NginxValue.Check(directive, rule.Kind);
        if (rule.Choices.Length > 0 && !rule.Choices.Contains(directive.Value))
        {
            throw directive.Error($"invalid value \"{directive.Value}\"");
        }
    }
}
