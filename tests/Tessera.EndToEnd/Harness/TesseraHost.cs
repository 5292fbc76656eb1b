using System.Diagnostics;
using System.Runtime.CompilerServices;
using Shouldly;
using Xunit;

namespace Tessera.EndToEnd.Harness;

/// <summary>
/// One machine of its own for a test: a state folder, public ports and projects that nobody else
/// uses. Its end takes every project down and the daemon with them, and fails the test when
/// anything is left: a process, a socket, a FIFO, a file.
/// </summary>
public sealed class TesseraHost : IAsyncLifetime
{
    private static int _count;
    private readonly List<ComposeProject> _projects = [];

    public TesseraHost()
    {
        string name = $"tessera-e2e-{Environment.ProcessId}-{Interlocked.Increment(ref _count)}-";
        Root = Path.Combine(Path.GetTempPath(), name);
        Directory.CreateDirectory(Root);
        Variables["TESSERA_HOME"] = Home;
    }

    /// <summary>
    /// Temporary folder of everything; its path is in the environment of all that runs.
    /// </summary>
    public string Root { get; }

    public string Home => Path.Combine(Root, "home");

    /// <summary>What commands get on top of the test's own environment.</summary>
    public Dictionary<string, string> Variables { get; } = [];

    /// <summary>The daemon that owns <see cref="Home"/>; null when none runs.</summary>
    public int? DaemonPid => FindDaemon();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>
    /// A project in a folder of its own; named after the calling test unless
    /// <paramref name="name"/> is given.
    /// </summary>
    public ComposeProject Project(string yaml, [CallerMemberName] string name = "")
    {
        name = name.ToLowerInvariant();
        name = name.Length > 40 ? name[..40] : name;
        var project = new ComposeProject(this, Path.Combine(Root, name), name);
        project.Write(yaml);
        _projects.Add(project);
        return project;
    }

    /// <summary>Runs <c>tessera</c> with exactly these arguments to its end.</summary>
    public async Task<CommandResult> RunAsync(params string[] arguments)
    {
        await using RunningCommand command = Start(arguments);
        return await command.WaitAsync();
    }

    /// <summary>Starts <c>tessera</c> and leaves it running.</summary>
    public RunningCommand Start(params string[] arguments) =>
        StartOther(Repository.Binary, arguments);

    /// <summary>Starts another program in this host's folder, to end with it.</summary>
    public RunningCommand StartOther(
        string program, string[] arguments, params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo(program) { WorkingDirectory = Root };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (string name in start.Environment.Keys.Where(IsForeign).ToArray())
        {
            start.Environment.Remove(name);
        }

        foreach ((string name, string value) in Variables)
        {
            start.Environment[name] = value;
        }

        foreach ((string name, string value) in variables)
        {
            start.Environment[name] = value;
        }

        return new RunningCommand(start);
    }

    /// <summary>kill -9 of the daemon; returns when it is gone.</summary>
    public async Task KillDaemonAsync()
    {
        int pid = DaemonPid.ShouldNotBeNull("a daemon should be running");
        await Processes.SignalAsync(pid, "KILL");
        await Eventually.HoldsAsync("the killed daemon is gone", () => !Processes.IsAlive(pid));
    }

    /// <summary>Takes everything down as a user would, and reports what that left behind.</summary>
    public async Task<IReadOnlyList<string>> CleanUpAsync()
    {
        List<string> problems = [];
        foreach (ComposeProject project in _projects.Where(p => p.HasState))
        {
            CommandResult down = await project.RunAsync("down", "--timeout", "1");
            if (down.ExitCode != 0)
            {
                problems.Add(down.ToString());
            }
        }

        if (DaemonPid is not null)
        {
            await RunAsync("daemon", "stop");
        }

        await TryUntilEmptyAsync();
        problems.AddRange(
            Processes.FindMarked(Root).Select(pid => "process " + Processes.Describe(pid)));
        problems.AddRange(StateFiles().Where(IsLeftover).Select(f => "file " + f));
        return problems;
    }

    /// <summary>Files, sockets and FIFOs in the state folder, relative to it.</summary>
    public IEnumerable<string> StateFiles() => Directory.Exists(Home)
        ? Directory.EnumerateFileSystemEntries(Home, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Home, path))
        : [];

    public async ValueTask DisposeAsync()
    {
        IReadOnlyList<string> problems;
        string log = "";
        try
        {
            problems = await CleanUpAsync();
            log = DaemonLog();
        }
        catch (TimeoutException e)
        {
            problems = [e.Message];
        }
        finally
        {
            await EndLeftoversAsync();
            Directory.Delete(Root, recursive: true);
        }

        if (problems.Count > 0)
        {
            throw new InvalidOperationException(
                $"left behind in {Root}:\n{string.Join('\n', problems)}\n--- daemon.log\n{log}");
        }
    }

    public string DaemonLog()
    {
        string path = Path.Combine(Home, "daemon.log");
        return File.Exists(path) ? File.ReadAllText(path) : "";
    }

    private static bool IsForeign(string name) =>
        name.StartsWith("COMPOSE_", StringComparison.Ordinal)
        || name.StartsWith("TESSERA_", StringComparison.Ordinal)
        || name.StartsWith("TESTINGPLATFORM", StringComparison.Ordinal);

    /// <summary>
    /// The daemon's log and its lock may stay: a person may want to read the one after all.
    /// </summary>
    private static bool IsLeftover(string path) =>
        !path.StartsWith("daemon.log", StringComparison.Ordinal)
        && path is not "daemon.lock" and not "projects" and not "logs"
        && !path.EndsWith("access.log", StringComparison.Ordinal);

    private int? FindDaemon()
    {
        foreach (int pid in Processes.FindMarked(Root))
        {
            string[] words = Processes.CommandLine(pid);
            if (words.Length > 1 && words[0].EndsWith("tessera", StringComparison.Ordinal)
                && words.Contains("daemon"))
            {
                return pid;
            }
        }

        return null;
    }

    private async Task TryUntilEmptyAsync()
    {
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < TimeSpan.FromSeconds(5) && Processes.FindMarked(Root).Count > 0)
        {
            await Task.Delay(20);
        }
    }

    private async Task EndLeftoversAsync()
    {
        // A supervisor may start another one while the first is being ended: look until all is
        // still.
        for (int round = 0; round < 20; round++)
        {
            IReadOnlyList<int> left = Processes.FindMarked(Root);
            if (left.Count == 0)
            {
                return;
            }

            foreach (int pid in left)
            {
                await Processes.SignalAsync(pid, "KILL");
            }

            await Task.Delay(50);
        }
    }
}
