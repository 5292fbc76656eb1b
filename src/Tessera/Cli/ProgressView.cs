using System.Globalization;

namespace Tessera.Cli;

internal enum ProgressStyle
{
    /// <summary>A list that is painted over and over; for terminals.</summary>
    Live,

    /// <summary>One line for each change.</summary>
    Plain,

    /// <summary>Failures and warnings only.</summary>
    Quiet,
}

/// <summary>
/// Shows progress on stderr while it happens, and plans on stdout. One use by one command;
/// <see cref="WriteBeside"/> may be called from any thread.
/// </summary>
internal sealed class ProgressView(
    TextWriter output, TextWriter error, ProgressStyle style, bool usesColour, TimeProvider time)
{
    private static readonly TimeSpan FrameInterval = TimeSpan.FromMilliseconds(100);

    private readonly Lock _painting = new();
    private readonly List<Row> _rows = [];
    private readonly Dictionary<string, Row> _rowsBySubject = new(StringComparer.Ordinal);
    private int _paintedLines;
    private int _frame;

    /// <summary>It paints a list that other output would tear apart.</summary>
    public bool IsLive => style == ProgressStyle.Live;

    /// <summary>
    /// Follows <paramref name="progress"/> to its end; a failure of it is thrown on.
    /// </summary>
    public async Task ShowAsync(IAsyncEnumerable<Progress> progress)
    {
        if (style != ProgressStyle.Live)
        {
            await foreach (Progress step in progress)
            {
                WriteLine(step);
            }

            return;
        }

        error.Write(Ansi.HideCursor);
        try
        {
            await PaintAsync(progress);
        }
        finally
        {
            lock (_painting)
            {
                Erase();
                foreach (Row row in _rows)
                {
                    error.WriteLine(Format(row));
                }

                error.Write(Ansi.ShowCursor);
            }
        }
    }

    /// <summary>
    /// Writes something else to the same terminal: above the list, while it lives.
    /// </summary>
    public void WriteBeside(Action write)
    {
        lock (_painting)
        {
            bool isPainted = _paintedLines > 0;
            Erase();
            write();
            if (isPainted)
            {
                Paint();
            }
        }
    }

    private void WriteLine(Progress step)
    {
        switch (step.Kind)
        {
            case ProgressKind.Plan:
                WritePlan(step);
                break;
            case ProgressKind.Warning:
                WriteWarning(step);
                break;
            case ProgressKind.Failed:
                // The cause comes once, in full, with the command's own end.
                error.WriteLine($" {step.Subject}  Failed");
                break;
            case ProgressKind.Started or ProgressKind.Done when style == ProgressStyle.Plain:
                error.WriteLine(step.Subject.Length == 0
                    ? $" {Capitalise(step.Text)}"
                    : $" {step.Subject}  {Capitalise(step.Text)}");
                break;
        }
    }

    private async Task PaintAsync(IAsyncEnumerable<Progress> progress)
    {
        await using IAsyncEnumerator<Progress> reader = progress.GetAsyncEnumerator();
        while (true)
        {
            Task<bool> next = reader.MoveNextAsync().AsTask();
            while (!next.IsCompleted)
            {
                await Task.WhenAny(next, Task.Delay(FrameInterval, time));
                lock (_painting)
                {
                    _frame++;
                    Paint();
                }
            }

            if (!await next)
            {
                return;
            }

            lock (_painting)
            {
                Take(reader.Current);
                Paint();
            }
        }
    }

    private void Take(Progress step)
    {
        if (step.Kind is ProgressKind.Plan or ProgressKind.Warning)
        {
            Erase();
            WriteLine(step);
            return;
        }

        if (!_rowsBySubject.TryGetValue(step.Subject, out Row? row))
        {
            row = new Row(step.Subject, time.GetTimestamp());
            _rows.Add(row);
            _rowsBySubject.Add(step.Subject, row);
        }

        row.Kind = step.Kind;
        row.Text = step.Kind == ProgressKind.Failed ? "failed" : step.Text;
        row.Elapsed = step.Kind == ProgressKind.Started ? null : time.GetElapsedTime(row.Begin);
    }

    private void Paint()
    {
        int room = Math.Max(1, WindowHeight() - 2);
        IEnumerable<Row> shown = _rows.Count <= room
            ? _rows
            : _rows.OrderBy(row => row.Kind == ProgressKind.Started ? 0 : 1).Take(room);
        Erase();
        foreach (Row row in shown)
        {
            error.WriteLine(Format(row));
            _paintedLines++;
        }
    }

    private void Erase()
    {
        if (_paintedLines > 0)
        {
            error.Write(Ansi.UpAndClear(_paintedLines));
            _paintedLines = 0;
        }
    }

    private string Format(Row row)
    {
        (string mark, string colour) = row.Kind switch
        {
            ProgressKind.Done => ("✔", Ansi.Green),
            ProgressKind.Failed => ("✘", Ansi.Red),
            _ => (SpinnerFrames[_frame % SpinnerFrames.Length], Ansi.Yellow),
        };
        int nameWidth = _rows.Max(other => other.Subject.Length);
        TimeSpan elapsed = row.Elapsed ?? time.GetElapsedTime(row.Begin);
        string seconds = elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        string text = $"{row.Subject.PadRight(nameWidth)}  {row.Text}  {seconds}s";
        // A line that wraps would be two lines to erase.
        int room = Math.Max(10, WindowWidth() - 4);
        string cut = text.Length <= room ? text : text[..(room - 1)] + "…";
        return $" {Ansi.Paint(mark, colour, usesColour)} {cut}";
    }

    private static readonly string[] SpinnerFrames =
        ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

    private void WritePlan(Progress step) =>
        output.WriteLine(step.Subject.Length == 0 ? step.Text : $"{step.Subject}  {step.Text}");

    private void WriteWarning(Progress step) =>
        error.WriteLine(step.Subject.Length == 0
            ? $"tessera: warning: {step.Text}"
            : $"tessera: warning: {step.Subject}: {step.Text}");

    private static string Capitalise(string text) =>
        text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..];

    private static int WindowWidth() => Measure(() => Console.WindowWidth, 80);

    private static int WindowHeight() => Measure(() => Console.WindowHeight, 24);

    private static int Measure(Func<int> measure, int otherwise)
    {
        try
        {
            int size = measure();
            return size > 0 ? size : otherwise;
        }
        catch (IOException)
        {
            return otherwise;
        }
    }

    private sealed class Row(string subject, long begin)
    {
        public string Subject => subject;

        public long Begin => begin;

        public ProgressKind Kind { get; set; }

        public string Text { get; set; } = "";

        public TimeSpan? Elapsed { get; set; }
    }
}
