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
            UnusedSettings.Directives.ToArray(),
            UpstreamModule.Directives,
        }
        .SelectMany(directives => directives)
        .GroupBy(rule => rule.Name)
        .ToFrozenDictionary(group => group.Key, group => group.ToArray());

    /// <summary>
    /// Names of those that make no difference, but for settings of modules that are not there.
    /// </summary>
    public static IEnumerable<string> WithoutEffect =>
        from rules in Rules.Values
        from rule in rules
        where rule.HasNoEffect && !UnusedSettings.Directives.Contains(rule)
        select rule.Name;

    /// <summary>Whether a directive is understood in a context, and not only overlooked.</summary>
    public static bool Knows(string name, NginxContext context) =>
        Rules.TryGetValue(name, out DirectiveRule[]? rules)
        && Array.Exists(rules, rule => (rule.Contexts & context) != 0
            && !UnusedSettings.Directives.Contains(rule));

    /// <summary>
    /// Throws the first error from the top: names that do not exist, blocks and arguments that do
    /// not fit. What nginx has and this program has not is an error too, or a warning.
    /// </summary>
    /// <returns>The directives without those that were warned of.</returns>
    public static ImmutableArray<NginxDirective> Check(
        ImmutableArray<NginxDirective> directives, NginxContext context, DirectiveCheck check)
    {
        var known = ImmutableArray.CreateBuilder<NginxDirective>(directives.Length);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (NginxDirective directive in directives)
        {
            if (!Rules.TryGetValue(directive.Name, out DirectiveRule[]? rules))
            {
                if (!UnsupportedDirectives.Names.Contains(directive.Name))
                {
                    throw directive.Error($"unknown directive \"{directive.Name}\"");
                }

                check.TellUnsupported(directive, $"directive \"{directive.Name}\"");
                continue;
            }

            DirectiveRule? rule = Array.Find(rules, r => (r.Contexts & context) != 0)
                ?? throw directive.Error($"\"{directive.Name}\" directive is not allowed here");
            Check(directive, rule, check);
            if (!seen.Add(rule.Name) && !rule.MayRepeat)
            {
                throw directive.Error($"\"{directive.Name}\" directive is duplicate");
            }

            known.Add(rule.Block is { } block && !rule.HasLines
                ? directive with { Block = Check(directive.Block!.Value, block, check) }
                : directive);
        }

        return known.DrainToImmutable();
    }

    private static void Check(
        NginxDirective directive, DirectiveRule rule, DirectiveCheck check)
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

        if (rule.OffWord is { } off && !directive.Arguments.All(word => word == off))
        {
            check.TellUnsupported(directive, $"directive \"{directive.Name}\"");
            return;
        }

        NginxValue.Check(directive, rule.Kind);
        CheckWords(directive, rule, check);
        if (rule.Range is (var min, var max)
            && (NginxValue.Number(directive, directive.Value) is var number)
            && (number < min || number > max))
        {
            throw directive.Error($"value must be between {min} and {max}");
        }

        rule.Check?.Invoke(directive, check);
    }

    /// <summary>nginx knows its own words in any letter case.</summary>
    private static void CheckWords(
        NginxDirective directive, DirectiveRule rule, DirectiveCheck check)
    {
        if (rule.Kind is not (ValueKind.Words or ValueKind.Types))
        {
            if (rule.Choices.Length > 0 && !rule.Choices.Contains(directive.Value))
            {
                throw directive.Error($"invalid value \"{directive.Value}\"");
            }

            return;
        }

        bool isTypes = rule.Kind == ValueKind.Types;
        var known = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        if (isTypes)
        {
            known.Add("text/html");
        }

        foreach (string word in directive.Arguments)
        {
            if (!isTypes && !rule.Choices.Contains(word, StringComparer.OrdinalIgnoreCase))
            {
                throw directive.Error($"invalid value \"{word}\"");
            }

            if (!known.Add(word))
            {
                check.Warn(directive, isTypes
                    ? $"duplicate MIME type \"{word}\""
                    : $"duplicate value \"{word}\"");
            }
        }
    }
}
