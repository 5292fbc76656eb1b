using System.CommandLine;
using System.Reflection;

namespace Tessera.Cli;

/// <summary><c>tessera version</c>.</summary>
internal static class VersionCommand
{
    /// <summary>As the build set it, without the hash of the sources.</summary>
    public static string Version { get; } =
        (typeof(VersionCommand).Assembly
            .GetCustomAttribute<AssemblyInformationalVersionAttribute>()
            ?.InformationalVersion ?? "0.0.0").Split('+')[0];

    public static Command Create(Func<ParseResult, Session> open)
    {
        var isShort = new Option<bool>("--short") { Description = "The number alone" };
        var format = new Option<string>("--format", "-f")
        {
            Description = "pretty or json",
            HelpName = "format",
            DefaultValueFactory = _ => "pretty",
        };
        format.AcceptOnlyFromAmong("pretty", "json");
        var command = new Command("version", "Print the version") { isShort, format };
        command.SetAction(parse =>
        {
            Session session = open(parse);
            if (parse.GetValue(isShort))
            {
                session.Output.WriteLine(Version);
            }
            else if (parse.GetValue(format) == "json")
            {
                session.Output.WriteLine($"{{\"version\":\"{Version}\"}}");
            }
            else
            {
                Print(session.Output);
            }

            return ExitCode.Ok;
        });
        return command;
    }

    public static void Print(TextWriter output) => output.WriteLine($"Tessera version {Version}");
}
