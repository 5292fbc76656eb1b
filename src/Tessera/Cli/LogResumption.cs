using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;

namespace Tessera.Cli;

/// <summary>
/// How far a follower of logs has come, so that another daemon can be asked for the rest: no line
/// twice, none left out. Times of lines are those of the files, which outlive daemons; many lines
/// have the same, so those with the last one are counted. One use by one command.
/// </summary>
/// <param name="begin">
/// What slots wrote before that have shown no line yet is none of the follower's.
/// </param>
internal sealed class LogResumption(DateTimeOffset begin)
{
    private readonly Dictionary<SlotName, (DateTimeOffset Time, int Count)> _last = [];

    /// <summary>The query that goes on after what was passed on so far.</summary>
    public LogQuery Resume(LogQuery query)
    {
        DateTimeOffset since = _last.Values.Select(last => last.Time).Append(begin).Min();
        return query with { Tail = null, Since = since };
    }

    /// <summary>Passes lines on, and remembers them; those passed on before are left out.</summary>
    public async IAsyncEnumerable<LogLine> PassAsync(
        IAsyncEnumerable<LogLine> lines, bool isResumed)
    {
        Dictionary<SlotName, (DateTimeOffset Time, int Count)> known =
            isResumed ? new(_last) : [];
        await foreach (LogLine line in lines)
        {
            if (isResumed && IsKnown(line, known))
            {
                continue;
            }

            _last[line.Slot] = _last.TryGetValue(line.Slot, out var last) && last.Time == line.Time
                ? (line.Time, last.Count + 1)
                : (line.Time, 1);
            yield return line;
        }
    }

    private bool IsKnown(
        LogLine line, Dictionary<SlotName, (DateTimeOffset Time, int Count)> known)
    {
        if (!known.TryGetValue(line.Slot, out (DateTimeOffset Time, int Count) last))
        {
            return line.Time < begin;
        }

        if (line.Time == last.Time && last.Count > 0)
        {
            known[line.Slot] = (last.Time, last.Count - 1);
            return true;
        }

        return line.Time < last.Time;
    }
}
