using System.CommandLine;

namespace Tessera.Cli;

/// <summary><c>tessera version</c>.</summary>
internal static class VersionCommand
{
    public static Command Create(Func<ParseResult, Session> open)
    {
        var isShort = new Option<bool>("--short") { Description = "The number alone" };
        var format = new Option<string>("--format", "-f")
        {
            Description = "pretty or json",
            HelpName = "format",
            DefaultValueFactory = _ => "pretty",
        };
        format.AcceptOnly("pretty", "json");
        var command = new Command("version", "Print the version") { isShort, format };
        command.SetAction(parse =>
        {
            Session session = open(parse);
            if (parse.GetValue(isShort))
            {
                session.Output.WriteLine(ProgramVersion.Text);
            }
            else if (parse.GetValue(format) == "json")
            {
                session.Output.WriteLine($"{{\"version\":\"{ProgramVersion.Text}\"}}");
            }
            else
            {
                Print(session.Output);
            }

            return ExitCode.Ok;
        });
        return command;
    }

    public static void Print(TextWriter output) =>
        output.WriteLine($"Tessera version {ProgramVersion.Text}");
}
