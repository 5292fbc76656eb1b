using System.Collections.Immutable;
using System.CommandLine;
using Tessera.Stack;

namespace Tessera.Cli;

/// <summary><c>tessera ps</c>: the instances of a project, as a table or as JSON.</summary>
internal static class PsCommand
{
    public static Command Create(Func<ParseResult, Session> open)
    {
        var all = new Option<bool>("--all", "-a") { Description = "Instances that ended, too" };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "Ids alone" };
        var servicesOnly = new Option<bool>("--services")
        {
            Description = "Names of services alone",
        };
        var status = new Option<string[]>("--status")
        {
            Description = "Only instances in this state: " + string.Join(", ", InstanceStates.All),
            HelpName = "state",
        };
        status.CompletionSources.Add(InstanceStates.All);
        var filter = new Option<string[]>("--filter")
        {
            Description = "Only instances with a property; the one there is: status=<state>",
            HelpName = "property",
        };
        var format = new Option<string>("--format")
        {
            Description = "table, or json: one object a line",
            HelpName = "format",
            DefaultValueFactory = _ => "table",
        };
        format.AcceptOnly("table", "json");
        var noTrunc = new Option<bool>("--no-trunc") { Description = "Do not shorten commands" };
        var orphans = new Option<bool>("--orphans")
        {
            Description = "Accepted for Compose's sake: orphans are always listed",
        };
        Argument<string[]> services = Arguments.Services(open);
        var command = new Command("ps", "List instances")
        {
            all, quiet, servicesOnly, status, filter, format, noTrunc, orphans, services,
        };
        command.SetAction(async (parse, _) =>
        {
            Session session = open(parse);
            ImmutableArray<string> states = ParseStates(
                parse.GetValue(status) ?? [], parse.GetValue(filter) ?? []);
            string project = session.ResolveProjectName();
            ImmutableArray<string> names = session.CheckServices(parse.GetValue(services) ?? []);
            IController? controller = await session.ConnectIfUsefulAsync(project);
            ImmutableArray<InstanceView> instances = controller is null
                ? []
                : await controller.ListAsync(project, session.Cancellation);
            InstanceView[] shown = [.. instances.Where(view =>
                IsShown(view, parse.GetValue(all), states)
                && (names.IsEmpty || names.Contains(view.Service)))];
            if (parse.GetValue(quiet))
            {
                WriteLines(session.Output, shown.Select(view => view.Id));
            }
            else if (parse.GetValue(servicesOnly))
            {
                WriteLines(session.Output, shown.Select(view => view.Service).Distinct());
            }
            else if (parse.GetValue(format) == "json")
            {
                WriteLines(session.Output, shown.Select(PsJson.Format));
            }
            else
            {
                new PsTable(session.Caller.Time.GetUtcNow(), parse.GetValue(noTrunc))
                    .Write(session.Output, shown);
            }

            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>
    /// Compose hides what ended. What was given up is shown all the same: it is supposed to run,
    /// and a list that hides it would look healthy.
    /// </summary>
    private static bool IsShown(InstanceView view, bool all, ImmutableArray<string> states) =>
        states.IsEmpty ? all || view.State != InstanceStates.Exited : states.Contains(view.State);

    private static ImmutableArray<string> ParseStates(string[] states, string[] filters)
    {
        const string prefix = "status=";
        var all = ImmutableArray.CreateBuilder<string>();
        all.AddRange(states);
        foreach (string filter in filters)
        {
            all.Add(filter.StartsWith(prefix, StringComparison.Ordinal)
                ? filter[prefix.Length..]
                : throw new UserErrorException(
                    $"--filter: '{filter}' is not a filter; try --filter status=running"));
        }

        foreach (string state in all)
        {
            if (!InstanceStates.All.Contains(state))
            {
                throw new UserErrorException(
                    $"'{state}' is not a state; there are {string.Join(", ", InstanceStates.All)}");
            }
        }

        return all.ToImmutable();
    }

    private static void WriteLines(TextWriter output, IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            output.WriteLine(line);
        }
    }
}
