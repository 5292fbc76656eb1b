using Shouldly;

namespace Tessera.EndToEnd.Harness;

/// <summary>A Compose project in a folder of its own, driven through the command line.</summary>
public sealed class ComposeProject : IAsyncDisposable
{
    private readonly TesseraHost _host;
    private bool _mayHaveState;

    public ComposeProject(TesseraHost host, string folder, string name)
    {
        _host = host;
        Folder = folder;
        Name = name;
        Directory.CreateDirectory(folder);
    }

    public string Name { get; }

    public string Folder { get; }

    public string File => Path.Combine(Folder, "compose.yaml");

    /// <summary>
    /// A command ran that may have started something, and none took it down since.
    /// </summary>
    public bool HasState => _mayHaveState;

    public void Write(string yaml, string file = "compose.yaml") =>
        System.IO.File.WriteAllText(Path.Combine(Folder, file), yaml + "\n");

    /// <summary>Runs <c>tessera -f … -p … arguments</c> to its end.</summary>
    public async Task<CommandResult> RunAsync(params string[] arguments)
    {
        await using RunningCommand command = Start(arguments);
        CommandResult result = await command.WaitAsync();
        if (arguments[0] == "down" && arguments.All(a => a.StartsWith('-') || a is "down" or "1"))
        {
            _mayHaveState = result.ExitCode != 0;
        }

        return result;
    }

    /// <summary>Starts <c>tessera -f … -p … arguments</c> and leaves it running.</summary>
    public RunningCommand Start(params string[] arguments)
    {
        _mayHaveState |= arguments[0] is "up" or "start" or "scale" or "restart";
        return _host.Start(["-f", File, "-p", Name, .. arguments]);
    }

    /// <summary><c>up -d --wait</c>, which has to succeed.</summary>
    public async Task<CommandResult> UpAsync(params string[] arguments) =>
        (await RunAsync(["up", "-d", "--wait", .. arguments])).ShouldSucceed();

    /// <summary>Every instance, ended ones included, in the order of <c>ps</c>.</summary>
    public async Task<IReadOnlyList<InstanceRow>> PsAsync(params string[] services)
    {
        CommandResult result =
            (await RunAsync(["ps", "-a", "--format", "json", .. services])).ShouldSucceed();
        return [.. result.OutputLines.Select(InstanceRow.Parse)];
    }

    /// <summary>The only instance of a service.</summary>
    public async Task<InstanceRow> PsOneAsync(string service) =>
        (await PsAsync(service)).ShouldHaveSingleItem();

    /// <summary>PIDs by instance name.</summary>
    public async Task<Dictionary<string, int>> PidsAsync(params string[] services) =>
        (await PsAsync(services)).ToDictionary(row => row.Name, row => row.Pid);

    /// <summary>Waits until <c>ps</c> satisfies <paramref name="condition"/>.</summary>
    public Task<IReadOnlyList<InstanceRow>> UntilPsAsync(
        string what, Func<IReadOnlyList<InstanceRow>, bool> condition, TimeSpan? limit = null) =>
        Eventually.GetAsync<IReadOnlyList<InstanceRow>>(
            what,
            async () => await PsAsync() is var rows && condition(rows) ? rows : null,
            limit);

    /// <summary>kill -9 of one instance; returns when the process is gone.</summary>
    public async Task KillOneAsync(string instance)
    {
        int pid = (await PidsAsync())[instance];
        await Processes.SignalAsync(pid, "KILL");
        await Eventually.HoldsAsync($"{instance} is gone", () => !Processes.IsAlive(pid));
    }

    /// <summary>Waits until enough lines of the project's access log hold a text.</summary>
    public Task<string[]> UntilLoggedAsync(
        string text, int count = 1, string file = "access.log")
    {
        string path = Path.Combine(_host.Home, "projects", Name, file);
        return Eventually.GetAsync($"{count} lines with '{text}' in {file}", async () =>
        {
            string[] lines = System.IO.File.Exists(path)
                ? await System.IO.File.ReadAllLinesAsync(path)
                : [];
            lines = [.. lines.Where(line => line.Contains(text, StringComparison.Ordinal))];
            return lines.Length >= count ? lines : null;
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (_mayHaveState)
        {
            (await RunAsync("down", "--timeout", "1")).ShouldSucceed();
        }
    }
}
