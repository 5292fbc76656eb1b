using System.CommandLine;
using Shouldly;
using Tessera.Cli;
using Xunit;

namespace Tessera.Tests.Cli;

/// <summary>
/// What the commands promise, as text: a flag that comes or goes shows in a diff.
/// </summary>
public sealed class HelpTests
{
    public static TheoryData<string> Commands
    {
        get
        {
            using var run = new CommandRun();
            var data = new TheoryData<string> { "" };
            foreach (Command command in CommandLine.Build(run.Caller).Subcommands)
            {
                data.Add(command.Name);
                foreach (Command subcommand in command.Subcommands)
                {
                    data.Add($"{command.Name} {subcommand.Name}");
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task Help_is_as_approved(string command)
    {
        using var run = new CommandRun();
        string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        (await run.RunAsync([.. words, "--help"])).ShouldBe(0);
        run.Error.ShouldBeEmpty();
        string text = string.Join('\n', run.Output.Split('\n').Select(line => line.TrimEnd()));
        string name = words.Length == 0 ? "tessera" : "tessera-" + string.Join('-', words);
        text.ShouldMatchApproved(config => config
            .NoDiff()
            .SubFolder("Approved")
            .WithFilenameGenerator((_, _, kind, extension) => $"{name}.{kind}.{extension}"));
    }

    [Fact]
    public async Task No_command_is_help()
    {
        using var run = new CommandRun();
        (await run.RunAsync()).ShouldBe(0);
        run.Output.ShouldContain("Usage:");
    }
}
