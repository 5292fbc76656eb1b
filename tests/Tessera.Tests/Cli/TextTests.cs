using Shouldly;
using Tessera.Cli;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;
using Xunit;

namespace Tessera.Tests.Cli;

/// <summary>The text that commands print: log lines, progress, ages.</summary>
public sealed class TextTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private static readonly LogLine[] Lines =
    [
        new(new SlotName("shop", "web", 1), Now.AddTicks(1_234_567), "one"),
        new(new SlotName("shop", "worker", 10), Now, "two"),
        new(new SlotName("shop", "web", 1), Now, ""),
    ];

    [Fact]
    public async Task Log_lines_are_aligned() =>
        (await PrintAsync(new LogStyle(true, false, false))).ShouldBe(
            "web-1      | one\nworker-10  | two\nweb-1      | \n");

    [Fact]
    public async Task Log_lines_can_be_bare_or_timed()
    {
        (await PrintAsync(new LogStyle(false, false, false))).ShouldBe("one\ntwo\n\n");
        (await PrintAsync(new LogStyle(false, true, false))).ShouldStartWith(
            "2026-03-01T12:00:00.123456700Z one\n");
    }

    [Fact]
    public async Task Instances_have_colours_of_their_own() =>
        (await PrintAsync(new LogStyle(true, false, true))).ShouldBe(
            "\e[36mweb-1      | \e[0mone\n\e[33mworker-10  | \e[0mtwo\n\e[36mweb-1      | \e[0m\n");

    [Theory]
    [InlineData("90s", -90)]
    [InlineData("1h30m", -5_400)]
    [InlineData("1.5s", -1.5)]
    [InlineData("250ms", -0.25)]
    [InlineData("2026-03-01T11:00:00Z", -3_600)]
    [InlineData("2026-03-01T12:00:00+01:00", -3_600)]
    [InlineData("1772366399.5", -0.5)]
    public void Points_in_time_are_read(string text, double seconds) =>
        TimeText.ParsePoint(text, Now, "--since").ShouldBe(Now.AddSeconds(seconds));

    [Theory]
    [InlineData("")]
    [InlineData("m")]
    [InlineData("5x")]
    [InlineData("1e400")]
    [InlineData("99999999999999999")]
    [InlineData("9999999999m")]
    public void What_is_no_point_in_time_is_refused(string text) =>
        Should.Throw<UserErrorException>(() => TimeText.ParsePoint(text, Now, "--since"))
            .Message.ShouldContain("--since");

    [Theory]
    [InlineData(0.5, "Less than a second")]
    [InlineData(1, "1 second")]
    [InlineData(59, "59 seconds")]
    [InlineData(60, "About a minute")]
    [InlineData(150, "2 minutes")]
    [InlineData(3_700, "About an hour")]
    [InlineData(100_000, "27 hours")]
    [InlineData(200_000, "2 days")]
    [InlineData(86_400 * 20, "2 weeks")]
    [InlineData(86_400 * 100, "3 months")]
    [InlineData(86_400 * 800, "2 years")]
    public void Ages_are_worded_as_docker_does(double seconds, string expected) =>
        AgeText.Of(TimeSpan.FromSeconds(seconds)).ShouldBe(expected);

    [Fact]
    public async Task Plain_progress_has_one_line_a_change_and_no_escapes()
    {
        (string output, string error) = await ShowAsync(ProgressStyle.Plain);
        error.ShouldBe(
            " web-1  Starting\n web-1  Started\n db-1  Failed\n"
            + "tessera: warning: careful\n Done with it\n");
        output.ShouldBe("  1  start web-1\n");
    }

    [Fact]
    public async Task Quiet_progress_has_failures_and_warnings_only() =>
        (await ShowAsync(ProgressStyle.Quiet)).Error.ShouldBe(
            " db-1  Failed\ntessera: warning: careful\n");

    [Fact]
    public async Task Live_progress_leaves_one_line_a_subject()
    {
        (string output, string error) = await ShowAsync(ProgressStyle.Live);
        output.ShouldBe("  1  start web-1\n");
        error.ShouldStartWith("\e[?25l");
        error.ShouldEndWith("\e[?25h");
        string last = error[(error.LastIndexOf("\e[J", StringComparison.Ordinal) + 3)..];
        last.ShouldMatch(
            """^ ✔ web-1  started  \d+\.\ds\n ✘ db-1   failed  \d+\.\ds\n ✔ +done with it""");
    }

    private static async Task<string> PrintAsync(LogStyle style)
    {
        var output = new StringWriter { NewLine = "\n" };
        var printer = new LogPrinter(output, style);
        printer.Align(["web-1", "worker-10"]);
        await printer.PrintAsync(Lines.ToAsyncEnumerable());
        return output.ToString();
    }

    private static async Task<(string Output, string Error)> ShowAsync(ProgressStyle style)
    {
        var output = new StringWriter { NewLine = "\n" };
        var error = new StringWriter { NewLine = "\n" };
        Progress[] steps =
        [
            new(ProgressKind.Started, "web-1", "starting"),
            new(ProgressKind.Plan, "", "  1  start web-1"),
            new(ProgressKind.Done, "web-1", "started"),
            new(ProgressKind.Failed, "db-1", "no such file"),
            new(ProgressKind.Warning, "", "careful"),
            new(ProgressKind.Done, "", "done with it"),
        ];
        var view = new ProgressView(output, error, style, usesColour: false, TimeProvider.System);
        await view.ShowAsync(steps.ToAsyncEnumerable());
        return (output.ToString(), error.ToString());
    }
}
