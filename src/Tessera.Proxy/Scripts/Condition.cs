using Tessera.Linux.Files;
using Tessera.Proxy.Files;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Scripts;

/// <summary>The condition of an if. Immutable.</summary>
internal abstract class Condition(bool isNegated)
{
    public static Condition Of(ScriptCondition config)
    {
        var subject = Template.Parse(config.Subject);
        return config.Kind switch
        {
            ConditionKind.IsTrue => new Truth(subject, config.IsNegated),
            ConditionKind.Equals => new Equality(
                subject, Template.Parse(config.Operand), config.IsNegated),
            ConditionKind.Matches or ConditionKind.MatchesIgnoreCase => new Fit(
                subject,
                new Expression(
                    config.Operand,
                    config.Kind == ConditionKind.MatchesIgnoreCase,
                    VariableScope.Current),
                config.IsNegated),
            _ => new Presence(subject, config.Kind, config.IsNegated),
        };
    }

    /// <summary>Whether it holds; negated or not, nobody knows once a match has failed.</summary>
    public MatchOutcome Test(Exchange exchange, in ScriptCourse course) =>
        Evaluate(exchange, course) switch
        {
            MatchOutcome.Failed => MatchOutcome.Failed,
            var outcome => Of(outcome == MatchOutcome.Match != isNegated),
        };

    protected abstract MatchOutcome Evaluate(Exchange exchange, in ScriptCourse course);

    private static MatchOutcome Of(bool holds) => holds ? MatchOutcome.Match : MatchOutcome.None;

    private sealed class Truth(Template subject, bool isNegated) : Condition(isNegated)
    {
        protected override MatchOutcome Evaluate(Exchange exchange, in ScriptCourse course)
        {
            using var text = EvaluatedText.Of(subject, exchange);
            return Of(text.Text.Length > 0 && !text.Text.SequenceEqual("0"u8));
        }
    }

    private sealed class Equality(Template subject, Template operand, bool isNegated)
        : Condition(isNegated)
    {
        protected override MatchOutcome Evaluate(Exchange exchange, in ScriptCourse course)
        {
            using var left = EvaluatedText.Of(subject, exchange);
            using var right = ScriptText.Evaluate(operand, exchange, course);
            return Of(left.Text.SequenceEqual(right.Text));
        }
    }

    private sealed class Fit(Template subject, Expression expression, bool isNegated)
        : Condition(isNegated)
    {
        protected override MatchOutcome Evaluate(Exchange exchange, in ScriptCourse course)
        {
            using var text = EvaluatedText.Of(subject, exchange);
            MatchOutcome outcome = expression.Match(text.Text, exchange);
            if (outcome == MatchOutcome.None)
            {
                exchange.ForgetCaptures();
            }

            return outcome;
        }
    }

    private sealed class Presence(Template subject, ConditionKind kind, bool isNegated)
        : Condition(isNegated)
    {
        protected override MatchOutcome Evaluate(Exchange exchange, in ScriptCourse course)
        {
            using var text = ScriptText.Evaluate(subject, exchange, course);
            LinkCheck links = exchange.Route?.Root?.LinksOf(text.Text, exchange) ?? default;
            bool exists = FileLookup.TryGetStatus(text.Text, links, out FileStatus status);
            return Of(exists && kind switch
            {
                ConditionKind.IsFile => status.Kind == FileKind.Regular,
                ConditionKind.IsFolder => status.Kind == FileKind.Folder,
                ConditionKind.IsExecutable => status.IsExecutable,
                _ => true,
            });
        }
    }
}
