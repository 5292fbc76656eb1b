using System.Collections.Immutable;
using System.CommandLine;
using Tessera.Linux.Processes;
using Tessera.Stack;

namespace Tessera.Cli;

/// <summary>
/// <c>start</c>, <c>stop</c>, <c>restart</c>, <c>scale</c> and <c>kill</c>: one request each to a
/// project that the daemon knows.
/// </summary>
internal static class ChangeCommands
{
    private static readonly ImmutableSortedDictionary<string, int> NoScale =
        ImmutableSortedDictionary<string, int>.Empty;

    public static Command CreateStart(Func<ParseResult, Session> open)
    {
        Argument<string[]> services = Arguments.Services(open);
        var command = new Command("start", "Start services that were stopped") { services };
        command.SetAction((parse, _) => RunAsync(
            open(parse),
            parse.GetValue(services),
            new ChangeRequest(ChangeKind.Start, "", [], NoScale)));
        return command;
    }

    public static Command CreateStop(Func<ParseResult, Session> open)
    {
        Option<int?> timeout = Arguments.Timeout();
        Argument<string[]> services = Arguments.Services(open);
        var command = new Command("stop", "Stop services; 'start' starts them again")
        {
            timeout, services,
        };
        command.SetAction((parse, _) => RunAsync(
            open(parse),
            parse.GetValue(services),
            new ChangeRequest(ChangeKind.Stop, "", [], NoScale)
            {
                Timeout = Arguments.ToTimeSpan(parse.GetValue(timeout), "--timeout"),
            }));
        return command;
    }

    public static Command CreateRestart(Func<ParseResult, Session> open)
    {
        Option<int?> timeout = Arguments.Timeout();
        var noDeps = new Option<bool>("--no-deps")
        {
            Description = "Leave services that depend on the named ones alone",
        };
        Argument<string[]> services = Arguments.Services(open);
        var command = new Command(
            "restart", "Replace instances one at a time, without losing a request")
        {
            timeout, noDeps, services,
        };
        command.SetAction((parse, _) => RunAsync(
            open(parse),
            parse.GetValue(services),
            new ChangeRequest(ChangeKind.Restart, "", [], NoScale)
            {
                Timeout = Arguments.ToTimeSpan(parse.GetValue(timeout), "--timeout"),
                NoDeps = parse.GetValue(noDeps),
            }));
        return command;
    }

    public static Command CreateScale(Func<ParseResult, Session> open)
    {
        var noDeps = new Option<bool>("--no-deps")
        {
            Description = "Leave the services that the named ones depend on alone",
        };
        var pairs = new Argument<string[]>("service=n")
        {
            Description = "Number of a service's instances, for example web=3",
            Arity = ArgumentArity.OneOrMore,
        };
        pairs.CompletionSources.Add(context => Arguments.ServiceNames(context, open)
            .Select(item => new System.CommandLine.Completions.CompletionItem(item.Label + "=")));
        var command = new Command("scale", "Set the number of instances of services")
        {
            noDeps, pairs,
        };
        command.SetAction((parse, _) =>
        {
            ImmutableSortedDictionary<string, int> scale =
                Arguments.ParseScale(parse.GetValue(pairs) ?? [], isRepeatable: false);
            return RunAsync(
                open(parse),
                [],
                new ChangeRequest(ChangeKind.Scale, "", [], scale)
                {
                    NoDeps = parse.GetValue(noDeps),
                });
        });
        return command;
    }

    public static Command CreateKill(Func<ParseResult, Session> open)
    {
        var signal = new Option<string>("--signal", "-s")
        {
            Description = "Signal to send",
            HelpName = "signal",
            DefaultValueFactory = _ => "SIGKILL",
        };
        var removeOrphans = new Option<bool>("--remove-orphans")
        {
            Description = "Accepted for Compose's sake: `up --remove-orphans` removes them",
        };
        Argument<string[]> services = Arguments.Services(open);
        var command = new Command("kill", "Send a signal to services' process groups")
        {
            signal, removeOrphans, services,
        };
        command.SetAction((parse, _) => RunAsync(
            open(parse),
            parse.GetValue(services),
            new ChangeRequest(ChangeKind.Kill, "", [], NoScale)
            {
                Signal = NormaliseSignal(parse.GetValue(signal)!),
            }));
        return command;
    }

    private static async Task<int> RunAsync(
        Session session, IEnumerable<string>? services, ChangeRequest change)
    {
        string project = session.ResolveProjectName();
        ImmutableArray<string> names = session.CheckServices(services ?? []);
        session.CheckServices(change.Scale.Keys);
        IController controller = await session.ConnectIfUsefulAsync(project)
            ?? throw new UserErrorException(
                $"no instance found for project \"{project}\"; 'tessera up' makes them",
                ExitCode.Failed);
        await session.ShowAsync(controller.ChangeAsync(
            change with { Project = project, Services = names, DryRun = session.IsDryRun },
            session.Cancellation));
        return ExitCode.Ok;
    }

    /// <summary>
    /// <c>term</c>, <c>TERM</c> and <c>SIGTERM</c> are one signal; numbers stay as they are.
    /// </summary>
    private static string NormaliseSignal(string signal)
    {
        if (!Signals.TryParse(signal, out _))
        {
            throw new UserErrorException(
                $"--signal: '{signal}' is not a signal; give a name as in signal(7) (TERM, "
                + "SIGHUP, RTMIN+1) or a number from 1 to 64");
        }

        string upper = signal.ToUpperInvariant();
        bool isNumber = upper.Length > 0 && char.IsAsciiDigit(upper[0]);
        return isNumber || upper.StartsWith("SIG", StringComparison.Ordinal)
            ? upper
            : "SIG" + upper;
    }
}
