using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using Tessera.Api;
using Tessera.Stack;
using Tessera.Stack.Engines;

namespace Tessera.Cli;

/// <summary><c>tessera logs</c>: lines that instances wrote, on stdout.</summary>
internal static class LogsCommand
{
    /// <summary>Daemons that may die under one follower: something is wrong with more.</summary>
    private const int MaxLosses = 10;

    public static Command Create(Func<ParseResult, Session> open)
    {
        var follow = new Option<bool>("--follow", "-f") { Description = "Stay and show new lines" };
        var tail = new Option<string>("--tail", "-n")
        {
            Description = "Lines to show of each instance, from the end: a number or 'all'",
            HelpName = "number",
            DefaultValueFactory = _ => "all",
        };
        var timestamps = new Option<bool>("--timestamps", "-t")
        {
            Description = "Show the time at which lines were written",
        };
        var since = new Option<string?>("--since")
        {
            Description = "Lines after a time (2026-01-31T13:00:00Z), an age (42m) or seconds "
                + "since 1970",
            HelpName = "time",
        };
        var until = new Option<string?>("--until")
        {
            Description = "Lines before a time, an age or seconds since 1970",
            HelpName = "time",
        };
        var noColor = new Option<bool>("--no-color") { Description = "No colours" };
        var noLogPrefix = new Option<bool>("--no-log-prefix")
        {
            Description = "Lines without the name of their instance",
        };
        Argument<string[]> services = Arguments.Services(open);
        var command = new Command("logs", "Show what instances wrote")
        {
            follow, tail, timestamps, since, until, noColor, noLogPrefix, services,
        };
        command.SetAction(async (parse, _) =>
        {
            Session session = open(parse);
            DateTimeOffset now = session.Caller.Time.GetUtcNow();
            int? count = ParseTail(parse.GetValue(tail)!);
            DateTimeOffset? from = TimeText.ParsePoint(parse.GetValue(since), now, "--since");
            DateTimeOffset? to = TimeText.ParsePoint(parse.GetValue(until), now, "--until");
            string project = session.ResolveProjectName();
            var query = new LogQuery(
                project,
                session.CheckServices(parse.GetValue(services) ?? []),
                parse.GetValue(follow),
                count,
                from,
                to);
            var style = new LogStyle(
                HasPrefix: !parse.GetValue(noLogPrefix),
                HasTimestamps: parse.GetValue(timestamps),
                UsesColour: session.UsesColour && !parse.GetValue(noColor));
            await PrintAsync(session, query, style);
            return ExitCode.Ok;
        });
        return command;
    }

    private static async Task PrintAsync(Session session, LogQuery query, LogStyle style)
    {
        if (await session.ConnectIfUsefulAsync(query.Project) is not { } controller)
        {
            return;
        }

        ImmutableArray<InstanceView> instances =
            await controller.ListAsync(query.Project, session.Cancellation);
        var printer = new LogPrinter(session.Output, style);
        printer.Align(instances
            .Where(view => query.Services.IsEmpty || query.Services.Contains(view.Service))
            .Select(LogPrinter.ShortName));
        using var watch = new ReaderWatch(session);
        try
        {
            await PrintAsync(session, controller, query, printer, watch.Token);
        }
        catch (OperationCanceledException) when (watch.IsReaderGone)
        {
            // Whoever read our output has seen enough.
        }
    }

    /// <summary>
    /// A follower outlives a daemon that dies: the next one, which it starts where nobody else
    /// does, goes on where that one stopped. A daemon that ends in an orderly way ends it, too.
    /// </summary>
    private static async Task PrintAsync(
        Session session, IController controller, LogQuery query, LogPrinter printer,
        CancellationToken cancellation)
    {
        var resumption = new LogResumption(session.Caller.Time.GetUtcNow());
        LogQuery asked = query;
        for (int losses = 0;; losses++)
        {
            try
            {
                await printer.PrintAsync(resumption.PassAsync(
                    controller.LogsAsync(asked, cancellation), isResumed: losses > 0));
                return;
            }
            catch (DaemonLostException) when (query.Follow && losses < MaxLosses)
            {
                session.Warn("the daemon died; following its successor");
            }

            if (await session.ConnectIfUsefulAsync(query.Project) is not { } successor)
            {
                return;
            }

            controller = successor;
            asked = resumption.Resume(query);
        }
    }

    private static int? ParseTail(string text)
    {
        if (text is "all" or "-1")
        {
            return null;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            ? count
            : throw new UserErrorException(
                $"--tail: '{text}' is neither a number of lines nor 'all'");
    }
}
