using Shouldly;
using Tessera.Stack.Compose.Variables;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

public sealed class InterpolationTests
{
    private static readonly Dictionary<string, string> Variables = new()
    {
        ["SET"] = "value",
        ["EMPTY"] = "",
        ["a_1"] = "low",
        ["DOLLAR"] = "$SET",
    };

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("$SET", "value")]
    [InlineData("${SET}", "value")]
    [InlineData("a${SET}b$SET-c", "avaluebvalue-c")]
    [InlineData("$a_1", "low")]
    [InlineData("$$SET", "$SET")]
    [InlineData("$$$SET", "$value")]
    [InlineData("$${SET}", "${SET}")]
    [InlineData("$DOLLAR", "$SET")]
    [InlineData("${SET:-d}", "value")]
    [InlineData("${EMPTY:-d}", "d")]
    [InlineData("${NONE:-d}", "d")]
    [InlineData("${SET-d}", "value")]
    [InlineData("${EMPTY-d}", "")]
    [InlineData("${NONE-d}", "d")]
    [InlineData("${NONE:-}", "")]
    [InlineData("${NONE-}", "")]
    [InlineData("${SET:+alt}", "alt")]
    [InlineData("${EMPTY:+alt}", "")]
    [InlineData("${NONE:+alt}", "")]
    [InlineData("${SET+alt}", "alt")]
    [InlineData("${EMPTY+alt}", "alt")]
    [InlineData("${NONE+alt}", "")]
    [InlineData("${SET:?bad}", "value")]
    [InlineData("${EMPTY?bad}", "")]
    [InlineData("${NONE:-${EMPTY:-${SET}}}", "value")]
    [InlineData("${NONE:-$SET/x}", "value/x")]
    [InlineData("${NONE:-a:-b?c}", "a:-b?c")]
    [InlineData("${NONE:-$$5}", "$5")]
    [InlineData("${NONE:-${NONE2-x}}-${SET}", "x-value")]
    [InlineData("${SET:-${NONE:?never looked at}}", "value")]
    public void Expands(string text, string expected) =>
        Expand(text, []).ShouldBe(expected);

    [Theory]
    [InlineData("$")]
    [InlineData("a $ b")]
    [InlineData("$1")]
    [InlineData("${}")]
    [InlineData("${1A}")]
    [InlineData("${SET")]
    [InlineData("${SET:}")]
    [InlineData("${SET!x}")]
    [InlineData("${SET:=x}")]
    [InlineData("${ SET }")]
    [InlineData("${NONE:-${SET}")]
    public void Refuses_bad_syntax(string text) =>
        Should.Throw<TemplateException>(() => Expand(text, [])).Message.ShouldBe(
            $"invalid interpolation format: \"{text}\"; write $$ for a dollar sign that stays");

    [Theory]
    [InlineData("${NONE:?must be given}", "required variable NONE is missing a value: must be " +
        "given")]
    [InlineData("${EMPTY:?no $SET}", "required variable EMPTY is missing a value: no value")]
    [InlineData("${NONE?}", "required variable NONE is missing a value: ")]
    public void Requires(string text, string message) =>
        Should.Throw<TemplateException>(() => Expand(text, [])).Message.ShouldBe(message);

    [Fact]
    public void Warns_of_plain_uses_only()
    {
        List<string> unset = [];
        Expand("$A ${B} ${C:-x} ${D+x} ${E-} ${SET:+$F}", unset);
        unset.ShouldBe(["A", "B", "F"]);
    }

    [Fact]
    public void Nests_to_a_limit()
    {
        string deep = string.Concat(Enumerable.Repeat("${A:-", 100)) + new string('}', 100);
        Should.Throw<TemplateException>(() => Expand(deep, [])).Message
            .ShouldBe("variables are nested deeper than 32 levels");
    }

    [Fact]
    public void Takes_values_and_leaves_keys()
    {
        using ProjectFolder folder = new("""
            services:
              web:
                command: echo ${WHO} ${MISSING}
                environment:
                  $KEY: "${MISSING}${WHO}"
                scale: ${COUNT}
                healthcheck: { test: exit 0, disable: "${OFF:-false}", retries: "$COUNT" }
            """);
        folder.Environment["WHO"] = "world";
        folder.Environment["COUNT"] = "3";
        Tessera.Stack.Compose.LoadedProject loaded = folder.Load();
        Tessera.Stack.Service web = loaded.Project.Services["web"];
        web.Command.ShouldBe(["echo", "world"]);
        web.Environment["$KEY"].ShouldBe("world");
        web.Scale.ShouldBe(3);
        web.Healthcheck!.Retries.ShouldBe(3);
        loaded.Warnings.ShouldBe(
            ["The \"MISSING\" variable is not set. Defaulting to a blank string."]);
    }

    [Fact]
    public void Names_the_place_of_a_mistake()
    {
        using ProjectFolder folder = new("""
            services:
              web:
                command: echo ok
                environment:
                  A: ${OOPS:?tell me}
            """);
        folder.Error().ShouldBe(
            "compose.yaml:5:10: required variable OOPS is missing a value: tell me.");
    }

    private static string Expand(string text, List<string> unset) =>
        new Template(Variables.GetValueOrDefault, unset.Add).Expand(text);
}
