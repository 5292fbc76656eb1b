using System.CommandLine;

namespace Tessera.Cli;

/// <summary><c>tessera metrics</c>: what the daemon's balancer has counted.</summary>
internal static class MetricsCommand
{
    public static Command Create(Func<ParseResult, Session> open)
    {
        var command = new Command(
            "metrics", "Print what the balancer has counted, as Prometheus reads it");
        command.SetAction(async (parse, _) =>
        {
            Session session = open(parse);
            if (await session.ConnectIfRunningAsync() is not { } controller)
            {
                session.Warn($"no daemon runs for '{session.Caller.Home.Path}'");
                return ExitCode.Failed;
            }

            session.Output.Write(await controller.GetMetricsAsync(session.Cancellation));
            return ExitCode.Ok;
        });
        return command;
    }
}
