using System.CommandLine;
using System.CommandLine.Help;

namespace Tessera.Cli;

/// <summary>
/// Options that stand before the command, as in docker compose: <c>tessera -f file logs -f</c>
/// names a file first and follows then, because none but <c>--dry-run</c> is known behind the
/// command.
/// </summary>
internal sealed class GlobalOptions
{
    public Option<string[]> File { get; } = new("--file", "-f")
    {
        Description = "Compose file or its folder; repeat it to merge several",
        HelpName = "path",
    };

    public Option<string?> ProjectName { get; } = new("--project-name", "-p")
    {
        Description = "Project name",
        HelpName = "name",
    };

    public Option<string[]> EnvFile { get; } = new("--env-file")
    {
        Description = "File with variables for ${...}, instead of .env",
        HelpName = "path",
    };

    public Option<string[]> Profile { get; } = new("--profile")
    {
        Description = "Profile to enable",
        HelpName = "name",
    };

    public Option<string?> ProjectDirectory { get; } = new("--project-directory")
    {
        Description = "Folder that relative paths start from (the first file's folder otherwise)",
        HelpName = "path",
    };

    public Option<string> Ansi { get; } = new("--ansi")
    {
        Description = "Colours and cursor control: auto, never, always",
        HelpName = "when",
        DefaultValueFactory = _ => "auto",
    };

    public Option<string> Progress { get; } = new("--progress")
    {
        Description = "How progress is shown: auto, tty, plain, quiet",
        HelpName = "kind",
        DefaultValueFactory = _ => "auto",
    };

    public Option<bool> DryRun { get; } = new("--dry-run")
    {
        Description = "Print what would be done and do nothing",
        Recursive = true,
    };

    public Option<bool> Version { get; } = new("--version", "-v")
    {
        Description = "Print the version",
    };

    public HelpOption Help { get; } = new("--help", "-h")
    {
        Description = "Show help",
    };

    public void AddTo(RootCommand root)
    {
        Ansi.AcceptOnly("auto", "never", "always");
        Progress.AcceptOnly("auto", "tty", "plain", "quiet");
        foreach (Option option in (Option[])[
            File, ProjectName, EnvFile, Profile, ProjectDirectory, Ansi, Progress, DryRun, Version,
            Help])
        {
            root.Options.Add(option);
        }
    }
}
