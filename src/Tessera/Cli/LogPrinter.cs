using System.Globalization;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;

namespace Tessera.Cli;

/// <param name="HasPrefix">Each line begins with its instance's name.</param>
/// <param name="HasTimestamps">Each line carries the time at which it was written.</param>
/// <param name="UsesColour">Prefixes are coloured, one colour an instance.</param>
internal sealed record LogStyle(bool HasPrefix, bool HasTimestamps, bool UsesColour);

/// <summary>
/// Prints lines of instances as docker compose does: <c>web-1  | text</c>. One use by one command;
/// announcements may come from another thread than the lines.
/// </summary>
/// <param name="writeBeside">
/// How to write where something else paints on the same terminal; null where nothing does.
/// </param>
internal sealed class LogPrinter(
    TextWriter output, LogStyle style, Action<Action>? writeBeside = null)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<SlotName, string> _prefixes = [];
    private readonly List<SlotName> _seen = [];
    private int _nameWidth;
    private long _printedLines;

    /// <summary>Grows with every line of an instance.</summary>
    public long PrintedLines => Volatile.Read(ref _printedLines);

    /// <summary>
    /// Makes the prefixes as wide as the widest of these names, before a line is printed.
    /// </summary>
    public void Align(IEnumerable<string> names)
    {
        foreach (string name in names)
        {
            _nameWidth = Math.Max(_nameWidth, name.Length);
        }
    }

    /// <summary>
    /// Prints until <paramref name="lines"/> ends; what is there at once is written at once.
    /// </summary>
    public async Task PrintAsync(IAsyncEnumerable<LogLine> lines)
    {
        await using IAsyncEnumerator<LogLine> reader = lines.GetAsyncEnumerator();
        while (true)
        {
            ValueTask<bool> next = reader.MoveNextAsync();
            if (!next.IsCompleted)
            {
                Flush();
            }

            if (!await next)
            {
                Flush();
                return;
            }

            LogLine line = reader.Current;
            if (writeBeside is null)
            {
                lock (_lock)
                {
                    Print(line);
                }
            }
            else
            {
                writeBeside(() => WriteThrough(() => Print(line)));
            }
        }
    }

    /// <summary>
    /// A line of our own among those of an instance: <c>web-1 exited with code 1</c>.
    /// </summary>
    public void Announce(string name, string text)
    {
        void Write() => WriteThrough(() => output.WriteLine($"{name} {text}"));
        if (writeBeside is null)
        {
            Write();
        }
        else
        {
            writeBeside(Write);
        }
    }

    /// <inheritdoc cref="ShortName(SlotName)"/>
    public static string ShortName(InstanceView view) =>
        view.Name.StartsWith(view.Project + "-", StringComparison.Ordinal)
            ? view.Name[(view.Project.Length + 1)..]
            : view.Name;

    /// <summary>The name without its project, which all lines share.</summary>
    public static string ShortName(SlotName slot) =>
        string.Create(CultureInfo.InvariantCulture, $"{slot.Service}-{slot.Number}");

    private void Flush()
    {
        lock (_lock)
        {
            output.Flush();
        }
    }

    private void WriteThrough(Action write)
    {
        lock (_lock)
        {
            write();
            output.Flush();
        }
    }

    private void Print(LogLine line)
    {
        Volatile.Write(ref _printedLines, _printedLines + 1);
        if (style.HasPrefix)
        {
            output.Write(Prefix(line.Slot));
        }

        if (style.HasTimestamps)
        {
            output.Write(line.Time.UtcDateTime.ToString(
                "yyyy-MM-dd'T'HH:mm:ss.fffffff00'Z '", CultureInfo.InvariantCulture));
        }

        output.WriteLine(line.Text);
    }

    private string Prefix(SlotName slot)
    {
        string name = ShortName(slot);
        if (name.Length > _nameWidth)
        {
            _nameWidth = name.Length;
            _prefixes.Clear();
        }

        if (!_prefixes.TryGetValue(slot, out string? prefix))
        {
            string colour = Ansi.InstanceColours[ColourOf(slot)];
            prefix = Ansi.Paint($"{name.PadRight(_nameWidth)}  | ", colour, style.UsesColour);
            _prefixes.Add(slot, prefix);
        }

        return prefix;
    }

    private int ColourOf(SlotName slot)
    {
        int index = _seen.IndexOf(slot);
        if (index < 0)
        {
            index = _seen.Count;
            _seen.Add(slot);
        }

        return index % Ansi.InstanceColours.Length;
    }
}
