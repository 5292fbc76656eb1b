using System.Collections.Immutable;
using System.Globalization;

namespace Tessera.Proxy.Nginx;

/// <summary>ngx_http_rewrite_module: scripts of servers and locations. Stateless.</summary>
internal static class RewriteModule
{
    private const NginxContext Anywhere = NginxContext.Server | NginxContext.Location
        | NginxContext.ServerIf | NginxContext.LocationIf;

    public static DirectiveRule[] Directives { get; } =
    [
        new("return", Anywhere, 1, 2) { MayRepeat = true },
        new("rewrite", Anywhere, 2, 3) { MayRepeat = true },
        new("set", Anywhere, 2, 2) { MayRepeat = true },
        new("break", Anywhere, 0, 0) { MayRepeat = true },
        new("if", NginxContext.Server, 1, -1) { Block = NginxContext.ServerIf, MayRepeat = true },
        new("if", NginxContext.Location, 1, -1)
        {
            Block = NginxContext.LocationIf, MayRepeat = true,
        },
        new("rewrite_log", NginxContext.Http | Anywhere)
        {
            Kind = ValueKind.Flag, HasNoEffect = true,
        },
        new("uninitialized_variable_warn", NginxContext.Http | Anywhere)
        {
            Kind = ValueKind.Flag,
        },
    ];

    /// <summary>The steps of a block, in their order.</summary>
    /// <param name="readLocation">
    /// Makes the location of an if; null in a server, where an if has none.
    /// </param>
    public static ImmutableArray<ScriptStep> ReadScript(
        NginxScope scope, HttpReading reading, Func<NginxScope, RouteConfig>? readLocation) =>
    [
        .. from directive in scope.Directives
           let step = TryReadStep(directive, scope, reading, readLocation)
           where step is not null
           select step,
    ];

    private static ScriptStep? TryReadStep(
        NginxDirective directive,
        NginxScope scope,
        HttpReading reading,
        Func<NginxScope, RouteConfig>? readLocation)
    {
        switch (directive.Name)
        {
            case "set":
                return ReadSet(directive, reading);
            case "rewrite":
                return ReadRewrite(directive, reading);
            case "return":
                return ReadReturn(directive);
            case "break":
                return new BreakStep();
            case "if":
                NginxScope inner = scope.Within(
                    directive,
                    readLocation is null ? NginxContext.ServerIf : NginxContext.LocationIf);
                return new IfStep(
                    ReadCondition(directive, reading),
                    ReadScript(inner, reading, readLocation),
                    readLocation?.Invoke(inner));
            default:
                return null;
        }
    }

    private static SetStep ReadSet(NginxDirective directive, HttpReading reading)
    {
        string name = NginxVariables.NameOf(directive, directive.Value);
        reading.Variables.DefineSettable(directive, name);
        NginxVariables.CheckText(directive, directive.Arguments[1]);
        return new SetStep(name, directive.Arguments[1]);
    }

    private static RewriteStep ReadRewrite(NginxDirective directive, HttpReading reading)
    {
        reading.Variables.CheckExpression(directive, directive.Value);
        if (directive.Arguments[1].Length == 0)
        {
            throw directive.Error("empty replacement");
        }

        NginxVariables.CheckText(directive, directive.Arguments[1]);
        RewriteEnd end = directive.Arguments.ElementAtOrDefault(2) switch
        {
            null => RewriteEnd.Next,
            "last" => RewriteEnd.Last,
            "break" => RewriteEnd.Break,
            "redirect" => RewriteEnd.Redirect,
            "permanent" => RewriteEnd.Permanent,
            var other => throw directive.Error($"invalid parameter \"{other}\""),
        };
        return new RewriteStep(directive.Value, directive.Arguments[1], end);
    }

    private static ReturnStep ReadReturn(NginxDirective directive)
    {
        string? text = directive.Arguments.ElementAtOrDefault(1);
        if (int.TryParse(
            directive.Value, NumberStyles.None, CultureInfo.InvariantCulture, out int status)
            && status <= 999)
        {
            NginxVariables.CheckText(directive, text ?? "");
            return new ReturnStep(status, text);
        }

        bool isUrl = text is null
            && (directive.Value.StartsWith("http://", StringComparison.Ordinal)
                || directive.Value.StartsWith("https://", StringComparison.Ordinal)
                || directive.Value.StartsWith("$scheme", StringComparison.Ordinal));
        return isUrl
            ? new ReturnStep(302, directive.Value)
            : throw directive.Error($"invalid return code \"{directive.Value}\"");
    }

    /// <summary>ngx_http_rewrite_if_condition: words between parentheses.</summary>
    private static ScriptCondition ReadCondition(NginxDirective directive, HttpReading reading)
    {
        List<string> words = [.. directive.Arguments];
        if (!words[0].StartsWith('('))
        {
            throw directive.Error($"invalid condition \"{words[0]}\"");
        }

        if (words is ["()"])
        {
            throw directive.Error("invalid condition \")\"");
        }

        words[0] = words[0][1..];
        if (!words[^1].EndsWith(')'))
        {
            throw directive.Error($"invalid condition \"{words[^1]}\"");
        }

        words[^1] = words[^1][..^1];
        if (words[0].Length == 0 && words.Count > 1)
        {
            words.RemoveAt(0);
        }

        // The parenthesis stood alone; an empty operand in quotes is a word in front of it.
        if (words[^1].Length == 0 && words.Count > 1)
        {
            words.RemoveAt(words.Count - 1);
        }

        return words switch
        {
            [['$', _, ..] subject] => new ScriptCondition(ConditionKind.IsTrue, false, subject),
            [['$', _, ..] subject, var sign, var operand] =>
                ReadComparison(directive, subject, sign, operand, reading),
            [['-', _] or ['!', '-', _], var path] =>
                ReadTest(directive, words[0][^1], words[0][0] == '!', path),
            _ => throw directive.Error($"invalid condition \"{words[0]}\""),
        };
    }

    private static ScriptCondition ReadComparison(
        NginxDirective directive, string subject, string sign, string operand,
        HttpReading reading)
    {
        bool isNegated = sign.StartsWith('!');
        switch (isNegated ? sign[1..] : sign)
        {
            case "=":
                NginxVariables.CheckText(directive, operand);
                return new ScriptCondition(ConditionKind.Equals, isNegated, subject, operand);
            case "~":
                reading.Variables.CheckExpression(directive, operand);
                return new ScriptCondition(ConditionKind.Matches, isNegated, subject, operand);
            case "~*":
                reading.Variables.CheckExpression(directive, operand);
                return new ScriptCondition(
                    ConditionKind.MatchesIgnoreCase, isNegated, subject, operand);
            default:
                throw directive.Error($"unexpected \"{sign}\" in condition");
        }
    }

    private static ScriptCondition ReadTest(
        NginxDirective directive, char test, bool isNegated, string path)
    {
        NginxVariables.CheckText(directive, path);
        ConditionKind kind = test switch
        {
            'f' => ConditionKind.IsFile,
            'd' => ConditionKind.IsFolder,
            'e' => ConditionKind.Exists,
            'x' => ConditionKind.IsExecutable,
            _ => throw directive.Error(
                $"invalid condition \"{(isNegated ? "!" : "")}-{test}\""),
        };
        return new ScriptCondition(kind, isNegated, path);
    }
}
