using Shouldly;
using Tessera.Cli;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;
using Xunit;

namespace Tessera.Tests.Cli;

/// <summary>Lines that a second daemon brings again are not printed again.</summary>
public sealed class LogResumptionTests
{
    private static readonly LogQuery Query = new("shop", [], Follow: true, Tail: 5);

    [Fact]
    public async Task Goes_on_after_the_last_line_of_each_slot()
    {
        var resumption = new LogResumption(At(100));
        // The times of a file: many lines have one, and slots are not in step with each other.
        LogLine[] all =
        [
            Line(1, 110, "a"), Line(1, 110, "b"), Line(2, 109, "x"), Line(2, 112, "y"),
            Line(1, 110, "b"), Line(1, 111, "c"), Line(3, 113, "new"),
        ];
        List<LogLine> first = await PassAsync(resumption, all[..4], isResumed: false);
        first.ShouldBe(all[..4]);

        LogQuery next = resumption.Resume(Query);
        next.ShouldBe(Query with { Tail = null, Since = At(100) });
        LogLine[] old = [Line(1, 90, "old"), Line(3, 99, "old")];
        (await PassAsync(resumption, [.. old, .. all], isResumed: true)).ShouldBe(all[4..]);

        // And once more, from the middle of a moment.
        (await PassAsync(resumption, all, isResumed: true)).ShouldBeEmpty();
    }

    private static async Task<List<LogLine>> PassAsync(
        LogResumption resumption, IEnumerable<LogLine> lines, bool isResumed)
    {
        List<LogLine> passed = [];
        await foreach (LogLine line in resumption.PassAsync(
            lines.ToAsyncEnumerable(), isResumed))
        {
            passed.Add(line);
        }

        return passed;
    }

    private static DateTimeOffset At(int seconds) => DateTimeOffset.UnixEpoch.AddSeconds(seconds);

    private static LogLine Line(int slot, int seconds, string text) =>
        new(new SlotName("shop", "web", slot), At(seconds), text);
}
