using System.CommandLine;
using System.Globalization;
using Tessera.Api;

namespace Tessera.Cli;

/// <summary>
/// <c>tessera daemon</c>, and <c>stop</c> and <c>status</c> of the one that runs.
/// </summary>
internal static class DaemonCommand
{
    public static Command Create(Func<ParseResult, Session> open)
    {
        var onDemand = new Option<bool>("--on-demand") { Hidden = true };
        var replace = new Option<bool>("--replace")
        {
            Description = "Take over from the daemon that runs, without an end of service",
        };
        var command = new Command(
            "daemon", "Run the daemon in the foreground (commands start one by themselves)")
        {
            replace, onDemand,
        };
        command.SetAction(async (parse, _) =>
        {
            Session session = open(parse);
            bool isOnDemand = parse.GetValue(onDemand);
            bool replaces = parse.GetValue(replace);
            if (replaces && !isOnDemand && await FindOnDemandAsync(session) is { } running)
            {
                return await ReplaceAsync(session, running);
            }

            return await Daemon.Daemon.RunAsync(
                session.Caller.Home, isOnDemand, replaces, session.Cancellation);
        });
        command.Subcommands.Add(CreateStop(open));
        command.Subcommands.Add(CreateStatus(open));
        return command;
    }

    /// <summary>The daemon that runs, if a command has started it.</summary>
    private static async Task<DaemonView?> FindOnDemandAsync(Session session) =>
        await session.ConnectIfRunningAsync() is { } controller
            && await DaemonEnd.FindAsync(session, controller) is { OnDemand: true } running
            ? running
            : null;

    /// <summary>One that runs in the background gets a successor that does.</summary>
    private static async Task<int> ReplaceAsync(Session session, DaemonView running)
    {
        var launcher = new DaemonLauncher(
            session.Caller.Home, DaemonLauncher.OwnExecutable, session.Caller.Time);
        int pid = await launcher.ReplaceAsync(session.Cancellation);
        session.Error.WriteLine($"tessera {ProgramVersion.Text} (pid {pid}) has taken over from "
            + $"{running.Version} (pid {running.Pid}), which ends with its last connection");
        return ExitCode.Ok;
    }

    private static Command CreateStop(Func<ParseResult, Session> open)
    {
        var keepInstances = new Option<bool>("--keep-instances")
        {
            Description = "Leave the instances running; the next daemon adopts them",
        };
        var command = new Command("stop", "End the daemon and everything it runs")
        {
            keepInstances,
        };
        command.SetAction(async (parse, _) =>
        {
            Session session = open(parse);
            if (await session.ConnectIfRunningAsync() is not { } controller)
            {
                session.Warn($"no daemon runs for '{session.Caller.Home.Path}'");
                return ExitCode.Ok;
            }

            DaemonView? daemon = await DaemonEnd.FindAsync(session, controller);
            await session.ShowAsync(controller.StopDaemonAsync(
                parse.GetValue(keepInstances), session.Cancellation));
            if (daemon is not null)
            {
                await DaemonEnd.WaitAsync(session, daemon.Pid);
            }

            return ExitCode.Ok;
        });
        return command;
    }

    private static Command CreateStatus(Func<ParseResult, Session> open)
    {
        var command = new Command("status", "Say whether a daemon runs, and which projects it has");
        command.SetAction(async (parse, _) =>
        {
            Session session = open(parse);
            if (await session.ConnectIfRunningAsync() is not { } controller)
            {
                session.Output.WriteLine($"no daemon runs for '{session.Caller.Home.Path}'");
                return ExitCode.Failed;
            }

            DaemonView daemon = await controller.GetDaemonAsync(session.Cancellation);
            string started = daemon.StartedAt.ToString("O", CultureInfo.InvariantCulture);
            session.Output.WriteLine($"version   {daemon.Version}");
            session.Output.WriteLine($"pid       {daemon.Pid}");
            session.Output.WriteLine($"started   {started}");
            session.Output.WriteLine($"home      {daemon.Home}");
            session.Output.WriteLine($"on demand {(daemon.OnDemand ? "yes" : "no")}");
            session.Output.WriteLine($"reactors  {daemon.Reactors}");
            session.Output.WriteLine($"projects  {string.Join(", ", daemon.Projects)}");
            session.WarnOf(daemon.Troubles);
            return ExitCode.Ok;
        });
        return command;
    }
}
