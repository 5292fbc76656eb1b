using System.Text;
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

    public bool Holds(Exchange exchange, in ScriptCourse course) =>
        Test(exchange, course) != isNegated;

    protected abstract bool Test(Exchange exchange, in ScriptCourse course);

    private sealed class Truth(Template subject, bool isNegated) : Condition(isNegated)
    {
        protected override bool Test(Exchange exchange, in ScriptCourse course)
        {
            using var text = EvaluatedText.Of(subject, exchange);
            return text.Text.Length > 0 && !text.Text.SequenceEqual("0"u8);
        }
    }

    private sealed class Equality(Template subject, Template operand, bool isNegated)
        : Condition(isNegated)
    {
        protected override bool Test(Exchange exchange, in ScriptCourse course)
        {
            using var left = EvaluatedText.Of(subject, exchange);
            using var right = ScriptText.Evaluate(operand, exchange, course);
            return left.Text.SequenceEqual(right.Text);
        }
    }

    private sealed class Fit(Template subject, Expression expression, bool isNegated)
        : Condition(isNegated)
    {
        protected override bool Test(Exchange exchange, in ScriptCourse course)
        {
            using var text = EvaluatedText.Of(subject, exchange);
            if (expression.IsMatch(text.Text, exchange))
            {
                return true;
            }

            exchange.ForgetCaptures();
            return false;
        }
    }

    private sealed class Presence(Template subject, ConditionKind kind, bool isNegated)
        : Condition(isNegated)
    {
        protected override bool Test(Exchange exchange, in ScriptCourse course)
        {
            using var text = ScriptText.Evaluate(subject, exchange, course);
            LinkCheck links = exchange.Route?.Root?.LinksOf(text.Text, exchange) ?? default;
            bool exists = FileLookup.TryGetStatus(text.Text, links, out FileStatus status);
            return exists && kind switch
            {
                ConditionKind.IsFile => status.Kind == FileKind.Regular,
                ConditionKind.IsFolder => status.Kind == FileKind.Folder,
                ConditionKind.IsExecutable =>
                    IsExecutable(Encoding.UTF8.GetString(text.Text)),
                _ => true,
            };
        }

        private static bool IsExecutable(string path) =>
            (File.GetUnixFileMode(path) & UnixFileMode.UserExecute) != 0;
    }
}
