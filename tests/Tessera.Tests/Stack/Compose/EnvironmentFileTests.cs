using Shouldly;
using Tessera.Stack.Compose.Variables;
using Tessera.Stack.Compose;
using Tessera.Stack;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

public sealed class EnvironmentFileTests
{
    [Theory]
    [InlineData("A=1", "1")]
    [InlineData("A = 1 ", "1")]
    [InlineData("A: 1", "1")]
    [InlineData("export A=1", "1")]
    [InlineData("export\tA=1", "1")]
    [InlineData("A=", "")]
    [InlineData("A=a b  c # comment", "a b  c")]
    [InlineData("A=a#b", "a#b")]
    [InlineData("A=# comment", "")]
    [InlineData("# first\n\n  A=1\n#last", "1")]
    [InlineData("A=1\r\nB=2\r\n", "1")]
    [InlineData("A='raw $B \\n # x'", "raw $B \\n # x")]
    [InlineData("A='it\\'s'", "it's")]
    [InlineData("A=\"a\\nb\\tc\\\\d\\\"e\"", "a\nb\tc\\d\"e")]
    [InlineData("A=\"no \\x change\"", "no \\x change")]
    [InlineData("A=\"\\$OUT\"", "$OUT")]
    [InlineData("A=\"$OUT\"", "outside")]
    [InlineData("A=$OUT/x", "outside/x")]
    [InlineData("A=${NONE:-d}", "d")]
    [InlineData("A=$$x", "$x")]
    [InlineData("A=\"two\nlines\" # comment\nB=1", "two\nlines")]
    [InlineData("A='two\nlines'", "two\nlines")]
    [InlineData("B=b\nA=${B}c", "bc")]
    [InlineData("B=b\nB=c\nA=$B", "c")]
    [InlineData("OUT=inside\nA=$OUT", "outside")]
    [InlineData("A=a=b=c", "a=b=c")]
    [InlineData("\uFEFFA=1", "1")]
    public void Reads_values(string text, string expected) => Parse(text)["A"].ShouldBe(expected);

    [Theory]
    [InlineData("A b=1", "test.env:1: the name \"A …\" has a space in it.")]
    [InlineData("OK=1\n=1", "test.env:2: unexpected character \"=\" in a variable's name.")]
    [InlineData("OK=1\n\nA$=1", "test.env:3: unexpected character \"$\" in a variable's name.")]
    [InlineData("OK=1\nA=\"open\nmore", "test.env:2: the quote \" is not closed.")]
    [InlineData("A='open", "test.env:1: the quote ' is not closed.")]
    [InlineData("A=${B", "test.env:1: invalid interpolation format: \"${B\"; write $$ for a " +
        "dollar sign that stays.")]
    public void Refuses(string text, string message) =>
        Should.Throw<UserErrorException>(() => Parse(text)).Message.ShouldBe(message);

    [Fact]
    public void Takes_bare_names_from_outside()
    {
        IReadOnlyDictionary<string, string> values = Parse("OUT\nNONE\nA=1\nOUT2 # comment");
        values.ShouldBe(
            new Dictionary<string, string> { ["OUT"] = "outside", ["A"] = "1" }, ignoreOrder: true);
    }

    [Fact]
    public void Raw_values_stay_as_they_are() =>
        EnvironmentFile.ParseRaw("# c\nA='x' # y\nB=$C\n\nOUT\n", Outside).ShouldBe(
            new Dictionary<string, string> { ["A"] = "'x' # y", ["B"] = "$C", ["OUT"] = "outside" },
            ignoreOrder: true);

    [Fact]
    public void Caller_wins_over_the_file_of_the_project()
    {
        using ProjectFolder folder = new("services: { web: { command: 'echo $A $B' } }");
        folder.Write(".env", "A=file\nB=file").Environment["A"] = "caller";
        folder.Load().Project.Services["web"].Command.ShouldBe(["echo", "caller", "file"]);
    }

    [Fact]
    public void Later_env_files_win_and_replace_the_standard_one()
    {
        using ProjectFolder folder = new("services: { web: { command: 'echo $A $B $C' } }");
        folder.Write(".env", "C=standard").Write("1.env", "A=1\nB=1").Write("2.env", "B=2$A\nC=2");
        LoadedProject loaded = ComposeLoader.Load(
            folder.Request() with { EnvFiles = ["1.env", "2.env"] });
        loaded.Project.Services["web"].Command.ShouldBe(["echo", "1", "21", "2"]);
        folder.Environment["COMPOSE_ENV_FILES"] = "1.env,2.env";
        folder.Load().Project.Services["web"].Command.ShouldBe(["echo", "1", "21", "2"]);
    }

    [Fact]
    public void Missing_named_file_is_an_error()
    {
        using ProjectFolder folder = new("services: { web: { command: echo } }");
        UserErrorException problem = Should.Throw<UserErrorException>(
            () => ComposeLoader.Load(folder.Request() with { EnvFiles = ["none.env"] }));
        problem.Message.ShouldBe("none.env: there is no such env file.");
    }

    [Fact]
    public void Service_files_fold_into_its_environment()
    {
        using ProjectFolder folder = new("""
            services:
              web:
                command: echo
                env_file:
                  - a.env
                  - path: b.env
                    required: false
                  - path: none.env
                    required: false
                  - path: raw.env
                    format: raw
                environment:
                  D: own
                  INHERITED:
                  NOBODY:
            """);
        folder.Write("a.env", "A=1\nB=1\nD=file").Write("b.env", "B=2$A");
        folder.Write("raw.env", "R='$x'");
        folder.Environment["INHERITED"] = "caller";
        Service web = folder.Load().Project.Services["web"];
        web.Environment.Select(pair => $"{pair.Key}={pair.Value}").ShouldBe(
            ["A=1", "B=21", "D=own", "INHERITED=caller", "R='$x'"]);
        folder.Json().ShouldContain("\"NOBODY\": null");
        folder.Json().ShouldContain("\"R\": \"'$$x'\"");
        folder.Json().ShouldNotContain("env_file");
    }

    [Fact]
    public void Missing_service_file_is_an_error()
    {
        using ProjectFolder folder = new("""
            services:
              web:
                command: echo
                env_file: sub/none.env
            """);
        folder.Error().ShouldBe(
            "compose.yaml:4:15: the env file sub/none.env does not exist; write \"required: " +
            "false\" when it may be missing.");
    }

    private static IReadOnlyDictionary<string, string> Parse(string text) =>
        EnvironmentFile.Parse("test.env", text, Outside, _ => { });

    private static string? Outside(string name) => name == "OUT" ? "outside" : null;
}
