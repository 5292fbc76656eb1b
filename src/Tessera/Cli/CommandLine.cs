using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Tessera.Api;
using Tessera.Stack;

namespace Tessera.Cli;

/// <summary>
/// The commands as one tree, and the one place where their failures become exit codes.
/// </summary>
public static class CommandLine
{
    /// <summary>errno of a write to a pipe whose reader is gone.</summary>
    private const int BrokenPipe = 32;

    private static readonly ParserConfiguration ParserConfiguration = new()
    {
        // "@file" is an argument like any other.
        ResponseFileTokenReplacer = null,
    };

    /// <summary>
    /// Runs what <paramref name="arguments"/> say; the result is an <see cref="ExitCode"/>.
    /// </summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, Caller caller)
    {
        try
        {
            int exitCode = await InvokeAsync(arguments, caller);
            await caller.Output.FlushAsync();
            return exitCode;
        }
        catch (Exception fault)
        {
            return Report(fault, caller);
        }
    }

    internal static RootCommand Build(Caller caller)
    {
        var globals = new GlobalOptions();
        Session Open(ParseResult parse) => new(caller, globals, parse);
        var root = new RootCommand(
            "Tessera runs the services of a Compose file as supervised processes behind its own "
            + "load balancer.")
        {
            HelpName = "tessera",
        };
        // The library's own options know '/h' too, and print a build's hash as the version.
        root.Options.Clear();
        globals.AddTo(root);
        root.Subcommands.Add(UpCommand.Create(Open));
        root.Subcommands.Add(DownCommand.Create(Open));
        root.Subcommands.Add(PsCommand.Create(Open));
        root.Subcommands.Add(LogsCommand.Create(Open));
        root.Subcommands.Add(ChangeCommands.CreateStart(Open));
        root.Subcommands.Add(ChangeCommands.CreateStop(Open));
        root.Subcommands.Add(ChangeCommands.CreateRestart(Open));
        root.Subcommands.Add(ChangeCommands.CreateScale(Open));
        root.Subcommands.Add(ChangeCommands.CreateKill(Open));
        root.Subcommands.Add(ConfigCommand.Create(Open));
        root.Subcommands.Add(EventsCommand.Create(Open));
        root.Subcommands.Add(MetricsCommand.Create(Open));
        root.Subcommands.Add(DaemonCommand.Create(Open));
        root.Subcommands.Add(VersionCommand.Create(Open));
        root.Subcommands.Add(CompletionCommand.Create(Open));
        root.Subcommands.Add(CompleteCommand.Create(Open));
        root.Subcommands.Add(WhoamiCommand.Create(Open));
        root.SetAction(parse =>
        {
            if (parse.GetValue(globals.Version))
            {
                VersionCommand.Print(caller.Output);
                return ExitCode.Ok;
            }

            return parse.RootCommandResult.Command.Parse("--help")
                .Invoke(new InvocationConfiguration { Output = caller.Output });
        });
        return root;
    }

    internal static ParseResult Parse(RootCommand root, IReadOnlyList<string> arguments) =>
        root.Parse(arguments, ParserConfiguration);

    private static Task<int> InvokeAsync(IReadOnlyList<string> arguments, Caller caller)
    {
        ParseResult parse = Parse(Build(caller), arguments);
        if (parse.Errors.Count > 0 && parse.Action is not HelpAction)
        {
            throw new UserErrorException(DescribeErrors(parse));
        }

        return parse.InvokeAsync(new InvocationConfiguration
        {
            Output = caller.Output,
            Error = caller.Error,
            EnableDefaultExceptionHandler = false,
            // Signals are ours, see Interrupts.
            ProcessTerminationTimeout = null,
        });
    }

    private static string DescribeErrors(ParseResult parse)
    {
        string command = string.Join(' ', CommandPath(parse.CommandResult));
        string[] messages = [.. parse.Errors.Select(error => error.Message).Distinct()];
        return string.Join("\n", messages) + $"\nSee '{command} --help'.";
    }

    private static Stack<string> CommandPath(CommandResult result)
    {
        var path = new Stack<string>();
        for (SymbolResult? at = result; at is CommandResult command; at = at.Parent)
        {
            path.Push(command.Command is RootCommand ? "tessera" : command.Command.Name);
        }

        return path;
    }

    private static int Report(Exception fault, Caller caller)
    {
        switch (fault)
        {
            case UserErrorException mistake:
                return Say(mistake.Message, mistake.ExitCode);
            case DaemonUnreachableException unreachable:
                return Say(unreachable.Message, ExitCode.Failed);
            case DaemonLostException lost:
                return Say(lost.Message, ExitCode.Failed);
            case OperationCanceledException when caller.Interrupts.IsRaised:
                return ExitCode.Interrupted;
            case IOException { HResult: BrokenPipe }:
                // Whoever read our output has seen enough.
                return ExitCode.Ok;
            case IOException or UnauthorizedAccessException:
                // A full disk, a closed stdout, a file without rights: the world's fault, not ours.
                return Say(fault.Message, ExitCode.Failed);
            default:
                bool isDebug = caller.Environment.GetValueOrDefault("TESSERA_DEBUG") is "1";
                return Say(
                    isDebug
                        ? fault.ToString()
                        : $"internal error: {fault.Message} (TESSERA_DEBUG=1 shows details)",
                    ExitCode.Failed);
        }

        int Say(string message, int exitCode)
        {
            // What was printed before belongs before the message where both go to one terminal.
            try
            {
                caller.Output.Flush();
            }
            catch (IOException)
            {
                // The message matters more than output that nobody reads.
            }

            caller.Error.WriteLine($"tessera: {message}");
            return exitCode;
        }
    }
}
