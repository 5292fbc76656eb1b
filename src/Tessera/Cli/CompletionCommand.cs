using System.CommandLine;
using Tessera.Stack;

namespace Tessera.Cli;

/// <summary>
/// <c>tessera completion bash|zsh|fish</c>: a script for the shell to read at its start.
/// </summary>
internal static class CompletionCommand
{
    public static Command Create(Func<ParseResult, Session> open)
    {
        var command = new Command("completion", "Print a completion script for a shell");
        command.Subcommands.Add(Create(
            "bash", "source <(tessera completion bash)", CompletionScripts.Bash, open));
        command.Subcommands.Add(Create(
            "zsh", "source <(tessera completion zsh)", CompletionScripts.Zsh, open));
        command.Subcommands.Add(Create(
            "fish", "tessera completion fish | source", CompletionScripts.Fish, open));
        var other = new Argument<string[]>("shell")
        {
            Arity = ArgumentArity.ZeroOrMore,
            Hidden = true,
        };
        command.Arguments.Add(other);
        command.SetAction(int (parse) => throw new UserErrorException(
            (parse.GetValue(other) is [string shell, ..]
                ? $"completion: there is no script for '{shell}'; "
                : "completion: name a shell; ")
            + $"there are {string.Join(", ", command.Subcommands.Select(known => known.Name))}"));
        return command;
    }

    private static Command Create(
        string shell, string usage, string script, Func<ParseResult, Session> open)
    {
        var command = new Command(shell, $"For {shell}: {usage}");
        command.SetAction(parse =>
        {
            open(parse).Output.Write(script);
            return ExitCode.Ok;
        });
        return command;
    }
}
