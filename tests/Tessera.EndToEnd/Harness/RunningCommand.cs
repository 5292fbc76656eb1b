using System.Diagnostics;
using System.Text;
using Shouldly;

namespace Tessera.EndToEnd.Harness;

/// <summary>What a finished command left: its exit code and everything it wrote.</summary>
public sealed record CommandResult(
    string CommandLine, int ExitCode, string Output, string Errors, TimeSpan Elapsed)
{
    public string[] OutputLines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public CommandResult ShouldSucceed() => ShouldExitWith(0);

    public CommandResult ShouldExitWith(int code)
    {
        ExitCode.ShouldBe(code, ToString());
        return this;
    }

    public override string ToString() =>
        $"$ {CommandLine}\nexit code {ExitCode} after {Elapsed.TotalSeconds:F2} s\n"
        + $"--- stdout\n{Output}\n--- stderr\n{Errors}";
}

/// <summary>
/// A command that was started and may still run, with what it wrote so far. Everything may be
/// called from the test's own flow only; the output is collected on other threads under a lock.
/// </summary>
public sealed class RunningCommand : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _commandLine;
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _errors = new();
    private readonly Task _outputEnd;
    private readonly Task _errorsEnd;

    public RunningCommand(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.RedirectStandardInput = true;
        _commandLine = $"{Path.GetFileName(start.FileName)} {string.Join(' ', start.ArgumentList)}";
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
        _outputEnd = CollectAsync(_process.StandardOutput, _output);
        _errorsEnd = CollectAsync(_process.StandardError, _errors);
    }

    public int Pid => _process.Id;

    public bool HasExited => _process.HasExited;

    public string Output => Read(_output);

    public string Errors => Read(_errors);

    public Task SignalAsync(string signal) => Processes.SignalAsync(Pid, signal);

    public Task UntilOutputAsync(string text, TimeSpan? limit = null) => Eventually.HoldsAsync(
        $"'{text}' in the output of: {_commandLine}",
        () => Output.Contains(text, StringComparison.Ordinal)
            ? true
            : HasExited && _outputEnd.IsCompleted
                ? throw new InvalidOperationException($"it ended without '{text}': {Snapshot()}")
                : false,
        limit);

    /// <summary>
    /// Waits for the end of the command and of its output; a command that takes longer is killed
    /// and fails the test, and so does a pipe that something else keeps open after the command's
    /// end.
    /// </summary>
    public async Task<CommandResult> WaitAsync(TimeSpan? limit = null)
    {
        TimeSpan allowed = limit ?? TimeSpan.FromSeconds(60);
        using var cancel = new CancellationTokenSource(allowed);
        try
        {
            await _process.WaitForExitAsync(cancel.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
            throw new TimeoutException(
                $"not done after {allowed.TotalSeconds:F0} s: {Snapshot()}");
        }

        if (await Task.WhenAny(Task.WhenAll(_outputEnd, _errorsEnd), Task.Delay(3_000))
            is not Task { IsCompleted: true } end || !_outputEnd.IsCompleted || end.IsFaulted)
        {
            throw new TimeoutException(
                $"something holds the output of a command that ended: {Snapshot()}");
        }

        return new CommandResult(
            _commandLine, _process.ExitCode, Output, Errors, _watch.Elapsed);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private static async Task CollectAsync(StreamReader source, StringBuilder target)
    {
        var buffer = new char[16_384];
        int read;
        while ((read = await source.ReadAsync(buffer)) > 0)
        {
            lock (target)
            {
                target.Append(buffer, 0, read);
            }
        }
    }

    private static string Read(StringBuilder text)
    {
        lock (text)
        {
            return text.ToString();
        }
    }

    private string Snapshot() =>
        $"$ {_commandLine}\n--- stdout\n{Tail(Output)}\n--- stderr\n{Tail(Errors)}";

    private static string Tail(string text) => text.Length > 4_000 ? text[^4_000..] : text;
}
