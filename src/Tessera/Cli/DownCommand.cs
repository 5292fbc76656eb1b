using System.Collections.Immutable;
using System.CommandLine;

namespace Tessera.Cli;

/// <summary>
/// <c>tessera down</c>: stop and forget a project's instances, the daemon's routes included.
/// </summary>
internal static class DownCommand
{
    public static Command Create(Func<ParseResult, Session> open)
    {
        Option<int?> timeout = Arguments.Timeout();
        var removeOrphans = new Option<bool>("--remove-orphans")
        {
            Description = "Accepted for Compose's sake: all of the project is removed anyway",
        };
        var volumes = new Option<bool>("--volumes", "-v")
        {
            Description = "Accepted for Compose's sake: native services have no volumes",
        };
        Argument<string[]> services = Arguments.Services(open);
        var command = new Command("down", "Stop and remove the project's instances")
        {
            timeout, removeOrphans, volumes, services,
        };
        command.SetAction(async (parse, _) =>
        {
            Session session = open(parse);
            string project = session.ResolveProjectName();
            ImmutableArray<string> names = session.CheckServices(parse.GetValue(services) ?? []);
            var request = new DownRequest(
                project,
                names,
                Arguments.ToTimeSpan(parse.GetValue(timeout), "--timeout"),
                session.IsDryRun);
            if (await session.ConnectIfUsefulAsync(project) is not { } controller)
            {
                session.Warn($"no resource found to remove for project \"{project}\"");
                return ExitCode.Ok;
            }

            DaemonView? daemon = await DaemonEnd.FindAsync(session, controller);
            await session.ShowAsync(controller.DownAsync(request, session.Cancellation));
            if (daemon is { OnDemand: true } && !session.IsDryRun && names.IsEmpty
                && daemon.Projects.All(name => name == project))
            {
                await DaemonEnd.WaitAsync(session, daemon.Pid);
            }

            return ExitCode.Ok;
        });
        return command;
    }
}
