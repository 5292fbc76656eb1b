using System.Collections.Immutable;
using Tessera.Cli;
using Tessera.Tests.Api;

namespace Tessera.Tests.Cli;

/// <summary>A command as a person would run it, against a daemon that the test plays.</summary>
internal sealed class CommandRun : IDisposable
{
    private readonly TemporaryHome _folder = new();
    private readonly StringWriter _output = new() { NewLine = "\n" };
    private readonly StringWriter _error = new() { NewLine = "\n" };

    public FakeController Daemon { get; } = new();

    /// <summary>Null means that no daemon runs.</summary>
    public bool IsDaemonRunning { get; set; } = true;

    /// <summary>What the last connection asked for: to start a missing daemon, or not to.</summary>
    public bool? StartedDaemon { get; private set; }

    public Interrupts Interrupts { get; } = Interrupts.Manual();

    public ImmutableSortedDictionary<string, string> Environment { get; set; } =
        ImmutableSortedDictionary<string, string>.Empty;

    public bool IsTerminal { get; set; }

    /// <summary>Whoever read the output has left.</summary>
    public bool IsReaderGone { get; set; }

    public string WorkingDirectory => _folder.Home.Path;

    public TesseraHome Home => _folder.Home;

    public string Output => _output.ToString();

    public string Error => _error.ToString();

    public Caller Caller => new()
    {
        // Attachments print from several threads, as the process's own streams allow.
        Output = TextWriter.Synchronized(_output),
        Error = TextWriter.Synchronized(_error),
        IsReaderGone = () => IsReaderGone,
        IsOutputTerminal = IsTerminal,
        IsErrorTerminal = IsTerminal,
        Environment = Environment,
        WorkingDirectory = WorkingDirectory,
        Home = Home,
        Interrupts = Interrupts,
        ConnectAsync = (startIfMissing, _) =>
        {
            StartedDaemon = startIfMissing;
            return Task.FromResult<IController?>(
                IsDaemonRunning || startIfMissing ? Daemon : null);
        },
    };

    /// <summary>Writes a Compose file into the working directory.</summary>
    public void WriteFile(string text, string name = "compose.yaml") =>
        File.WriteAllText(Path.Combine(WorkingDirectory, name), text);

    public Task<int> RunAsync(params string[] arguments) =>
        CommandLine.RunAsync(arguments, Caller);

    public void Dispose()
    {
        Interrupts.Dispose();
        _folder.Dispose();
    }
}
