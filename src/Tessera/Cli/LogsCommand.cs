using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using Tessera.Stack;
using Tessera.Stack.Engines;

namespace Tessera.Cli;

/// <summary><c>tessera logs</c>: lines that instances wrote, on stdout.</summary>
internal static class LogsCommand
{
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
            Description = "Lines after a time (2026-01-31T13:00:00Z) or an age (42m)",
            HelpName = "time",
        };
        var until = new Option<string?>("--until")
        {
            Description = "Lines before a time or an age",
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
        if (await session.ConnectIfUsefulAsync() is not { } controller)
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
            await printer.PrintAsync(controller.LogsAsync(query, watch.Token));
        }
        catch (OperationCanceledException) when (watch.IsReaderGone)
        {
            // Whoever read our output has seen enough.
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
