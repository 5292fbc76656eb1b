using System.CommandLine;
using System.Globalization;

namespace Tessera.Cli;

/// <summary>
/// <c>tessera daemon</c>, and <c>stop</c> and <c>status</c> of the one that runs.
/// </summary>
internal static class DaemonCommand
{
    public static Command Create(Func<ParseResult, Session> open)
    {
        var onDemand = new Option<bool>("--on-demand") { Hidden = true };
        var command = new Command(
            "daemon", "Run the daemon in the foreground (commands start one by themselves)")
        {
            onDemand,
        };
        command.SetAction((parse, _) =>
        {
            Session session = open(parse);
            return Daemon.Daemon.RunAsync(
                session.Caller.Home, parse.GetValue(onDemand), session.Cancellation);
        });
        command.Subcommands.Add(CreateStop(open));
        command.Subcommands.Add(CreateStatus(open));
        return command;
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
