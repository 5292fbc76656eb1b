using System.Collections.Immutable;
using System.CommandLine;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Compose;
using Tessera.Stack.Compose.Files;

namespace Tessera.Cli;

/// <summary>
/// One run of one command: its caller, what the global options say, and the steps that commands
/// share. Used by one command at a time.
/// </summary>
internal sealed class Session(Caller caller, GlobalOptions globals, ParseResult parse)
{
    private LoadedProject? _loaded;

    public Caller Caller => caller;

    public TextWriter Output => caller.Output;

    public TextWriter Error => caller.Error;

    /// <summary>Ends with the first Ctrl-C.</summary>
    public CancellationToken Cancellation => caller.Interrupts.First;

    public bool IsDryRun => parse.GetValue(globals.DryRun);

    /// <summary>Colours on stdout.</summary>
    public bool UsesColour => UsesAnsi(caller.IsOutputTerminal);

    public ProgressStyle ProgressStyle => parse.GetValue(globals.Progress) switch
    {
        "tty" => ProgressStyle.Live,
        "plain" => ProgressStyle.Plain,
        "quiet" => ProgressStyle.Quiet,
        _ => UsesAnsi(caller.IsErrorTerminal) && caller.IsErrorTerminal
            ? ProgressStyle.Live
            : ProgressStyle.Plain,
    };

    /// <summary>
    /// The project's name with the least that must be right: <c>-p</c>, else
    /// <c>COMPOSE_PROJECT_NAME</c>, else what the files say.
    /// </summary>
    public string ResolveProjectName()
    {
        string? name = parse.GetValue(globals.ProjectName);
        if (string.IsNullOrEmpty(name))
        {
            name = caller.Environment.GetValueOrDefault("COMPOSE_PROJECT_NAME");
        }

        if (string.IsNullOrEmpty(name))
        {
            return LoadProject().Project.Name;
        }

        return ProjectName.Require(name);
    }

    /// <summary>Loads the project's files, once; warnings go to stderr.</summary>
    public LoadedProject LoadProject()
    {
        if (_loaded is null)
        {
            _loaded = ComposeLoader.Load(ToLoadRequest());
            foreach (string warning in _loaded.Warnings)
            {
                Warn(warning);
            }
        }

        return _loaded;
    }

    /// <summary>
    /// Names of services given on the command line, checked against the project where its files had
    /// to be read anyway.
    /// </summary>
    public ImmutableArray<string> CheckServices(IEnumerable<string> services)
    {
        ImmutableArray<string> names = [.. services.Distinct(StringComparer.Ordinal)];
        _loaded?.Project.Require(names);
        return names;
    }

    /// <summary>The daemon, started when there is none.</summary>
    public async Task<IController> ConnectAsync() =>
        await caller.ConnectAsync(true, Cancellation)
        ?? throw new UserErrorException("there is no daemon", UserErrorException.Failed);

    /// <summary>
    /// The daemon when there is anything that it could know of; null when none runs and no project
    /// is on disk, so that the answer is empty without starting one. What a daemon had trouble with
    /// is said first; <paramref name="project"/>'s own state, when it is lost, by the daemon.
    /// </summary>
    public async Task<IController?> ConnectIfUsefulAsync(string project)
    {
        IController? controller = await caller.ConnectAsync(HasProjectsOnDisk(), Cancellation);
        if (controller is not null)
        {
            DaemonView? daemon = await DaemonEnd.FindAsync(this, controller);
            WarnOf(daemon?.Troubles?.Where(t => !t.IsUnreadable || t.Project != project));
        }

        return controller;
    }

    public void WarnOf(IEnumerable<ProjectTrouble>? troubles)
    {
        foreach (ProjectTrouble trouble in troubles ?? [])
        {
            Warn(trouble.Text);
        }
    }

    /// <summary>The daemon when it runs.</summary>
    public Task<IController?> ConnectIfRunningAsync() => caller.ConnectAsync(false, Cancellation);

    /// <summary>Shows what a command does until its end; a failure is thrown on.</summary>
    public Task ShowAsync(IAsyncEnumerable<Progress> progress) =>
        CreateProgressView().ShowAsync(progress);

    public ProgressView CreateProgressView() => new(
        Output, Error, ProgressStyle, UsesAnsi(caller.IsErrorTerminal), caller.Time);

    public void Warn(string text) => Error.WriteLine($"tessera: warning: {text}");

    /// <summary>A request for <see cref="ComposeLoader"/> as the command line words it.</summary>
    public LoadRequest ToLoadRequest() => new(
        [.. parse.GetValue(globals.File) ?? []],
        parse.GetValue(globals.ProjectName),
        parse.GetValue(globals.ProjectDirectory),
        [.. parse.GetValue(globals.EnvFile) ?? []],
        [.. parse.GetValue(globals.Profile) ?? []],
        caller.WorkingDirectory,
        caller.Environment)
    {
        Services = [.. NamedServices()],
        ProblemOfTemplate = TemplateSyntax.ProblemOf,
    };

    /// <summary>
    /// What stands on the command line as <c>SERVICE</c> or <c>SERVICE=N</c>; as words, because a
    /// line that is being completed has no values yet.
    /// </summary>
    private IEnumerable<string> NamedServices() => parse.CommandResult.Command.Arguments
        .OfType<Argument<string[]>>()
        .SelectMany(argument => parse.GetResult(argument)?.Tokens ?? [])
        .Select(token => token.Value.Split('=')[0]);

    private bool HasProjectsOnDisk() =>
        Directory.Exists(caller.Home.Projects)
        && Directory.EnumerateFileSystemEntries(caller.Home.Projects).Any();

    /// <summary>https://no-color.org: any value but the empty one turns colours off.</summary>
    private bool UsesAnsi(bool isTerminal) => parse.GetValue(globals.Ansi) switch
    {
        "never" => false,
        "always" => true,
        _ => isTerminal
            && string.IsNullOrEmpty(caller.Environment.GetValueOrDefault("NO_COLOR"))
            && caller.Environment.GetValueOrDefault("TERM") != "dumb",
    };
}
