using System.CommandLine;
using System.CommandLine.Completions;

namespace Tessera.Cli;

/// <summary>Hidden: what the completion scripts ask for candidates.</summary>
internal static class CompleteCommand
{
    public static Command Create(Func<ParseResult, Session> open)
    {
        var position = new Option<int>("--position")
        {
            Description = "Which of the words is completed; the first is 1",
        };
        var words = new Argument<string[]>("words") { Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("complete", "List what a word could become")
        {
            position, words,
        };
        command.Hidden = true;
        command.SetAction(parse =>
        {
            Session session = open(parse);
            foreach (CompletionItem item in Complete(
                session.Caller, parse.GetValue(words) ?? [], parse.GetValue(position)))
            {
                string description =
                    (item.Documentation ?? item.Detail ?? "").ReplaceLineEndings(" ");
                session.Output.WriteLine($"{item.Label}\t{description}");
            }

            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>
    /// The values of an option that stands before the word, or else whatever may stand there. The
    /// library takes an empty word for an argument of the command, never for an option's.
    /// </summary>
    private static IEnumerable<CompletionItem> Candidates(ParseResult parse, string[] line)
    {
        Option? option = line.Length < 2
            ? null
            : parse.CommandResult.Command.Options.FirstOrDefault(candidate =>
                candidate.Arity.MinimumNumberOfValues > 0
                && (candidate.Name == line[^2] || candidate.Aliases.Contains(line[^2])));
        return option is null
            ? parse.GetCompletions()
            : option.GetCompletions(parse.GetCompletionContext());
    }

    private static IEnumerable<CompletionItem> Complete(Caller caller, string[] words, int position)
    {
        string current = position >= 1 && position <= words.Length ? words[position - 1] : "";
        string[] before = [.. words.Take(Math.Max(0, position - 1))];
        // bash makes words of its own of "--scale=web": "--scale", "=", "web".
        if (current == "=")
        {
            current = "";
        }

        string[] line = [.. before.Where(word => word != "="), current];
        ParseResult parse = CommandLine.Parse(CommandLine.Build(caller), line);
        return Candidates(parse, line)
            .Where(item => item.Label.StartsWith(current, StringComparison.Ordinal)
                && (current.StartsWith('-') || !item.Label.StartsWith('-')))
            .OrderBy(item => item.Label, StringComparer.Ordinal);
    }
}
