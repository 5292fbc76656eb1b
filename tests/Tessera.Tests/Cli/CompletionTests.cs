using System.Diagnostics;
using Shouldly;
using Tessera.Cli;
using Xunit;

namespace Tessera.Tests.Cli;

public sealed class CompletionTests : IDisposable
{
    private readonly CommandRun _run = new();

    public CompletionTests() => _run.WriteFile(
        "name: shop\nservices:\n  web: {command: x}\n  worker: {command: x}\n  db: {command: x}\n");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _run.Dispose();

    [Theory]
    [InlineData("st", "start stop")]
    [InlineData(
        "",
        "completion config daemon down events kill logs metrics ps restart scale start stop up version "
        + "whoami")]
    [InlineData("--pro", "--profile --progress --project-directory --project-name")]
    [InlineData("up w", "web worker")]
    [InlineData("up ", "db web worker")]
    [InlineData("up --no-", "--no-color --no-deps --no-log-prefix --no-recreate")]
    [InlineData("ps --format ", "json table")]
    [InlineData("ps --status ex", "exited external")]
    [InlineData("scale w", "web= worker=")]
    [InlineData("daemon ", "status stop")]
    [InlineData("-f compose.yaml up d", "db")]
    [InlineData("-f missing.yaml up d", "")]
    [InlineData("-f ", "")]
    public async Task A_word_is_completed(string line, string expected)
    {
        string[] words = line.Split(' ');
        (await _run.RunAsync(
            ["complete", "--position", $"{words.Length}", "--", .. words])).ShouldBe(0);
        Labels(_run.Output).ShouldBe(expected);
    }

    [Theory]
    [InlineData("bash", "-n")]
    [InlineData("zsh", "-n")]
    [InlineData("fish", "--no-execute")]
    public async Task A_shell_accepts_its_script(string shell, string check)
    {
        await _run.RunAsync("completion", shell);
        _run.WriteFile(_run.Output, "script");
        (int exitCode, string output) = await RunShellAsync(shell, check, "script");
        output.ShouldBeEmpty();
        exitCode.ShouldBe(0);
    }

    [Fact]
    public async Task Bash_completes_through_the_real_program()
    {
        await _run.RunAsync("completion", "bash");
        _run.WriteFile(_run.Output, "script");
        (int exitCode, string output) = await RunShellAsync(
            "bash", "-c",
            $"""
            source ./script
            COMP_WORDS=('{DaemonExecutable}' up w) COMP_CWORD=2
            _tessera
            echo "$(complete -p tessera)"
            printf '%s\n' "${"{COMPREPLY[@]}"}"
            """);
        exitCode.ShouldBe(0);
        output.ShouldBe("complete -o default -F _tessera tessera\nweb\nworker\n");
    }

    [Fact]
    public async Task Fish_completes_through_the_real_program()
    {
        await _run.RunAsync("completion", "fish");
        _run.WriteFile(_run.Output, "script");
        (int exitCode, string output) = await RunShellAsync(
            "fish", "--no-config", "-c",
            $"source ./script; set PATH '{Path.GetDirectoryName(DaemonExecutable)}' $PATH; "
            + "complete -C 'tessera up w'");
        exitCode.ShouldBe(0);
        output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(item => item.Split('\t')[0]).ShouldBe(["web", "worker"]);
    }

    private static string DaemonExecutable => Tessera.Api.DaemonLauncher.OwnExecutable;

    private static string Labels(string output) => string.Join(
        ' ',
        output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(item => item.Split('\t')[0]));

    private async Task<(int ExitCode, string Output)> RunShellAsync(
        string shell, params string[] arguments)
    {
        var start = new ProcessStartInfo(shell, arguments)
        {
            WorkingDirectory = _run.WorkingDirectory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync(Token);
        string output = await process.StandardOutput.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token);
        return (process.ExitCode, output + await error);
    }
}
