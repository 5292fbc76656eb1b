using System.Collections.Immutable;
using Shouldly;
using Tessera.Api;
using Tessera.Cli;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;
using Xunit;

namespace Tessera.Tests.Cli;

/// <summary>From words to requests, exit codes and messages.</summary>
public sealed class CommandLineTests : IDisposable
{
    private const string TwoServices =
        """
        name: shop
        services:
          web:
            command: tessera whoami --port $$PORT
            ports: ["8080:80"]
            depends_on: [db]
          db:
            command: sleep 100
        """;

    private readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    [Theory]
    [InlineData("upp")]
    [InlineData("up", "--nonsense")]
    [InlineData("-p")]
    [InlineData("-p", "Shop", "stop")]
    [InlineData("-p", "-shop", "stop")]
    [InlineData("--ansi", "maybe", "-p", "shop", "ps")]
    [InlineData("-p", "shop", "ps", "--format", "xml")]
    [InlineData("-p", "shop", "ps", "--status", "well")]
    [InlineData("-p", "shop", "ps", "--filter", "name=x")]
    [InlineData("-p", "shop", "logs", "-n", "some")]
    [InlineData("-p", "shop", "logs", "--since", "yesterdayish")]
    [InlineData("-p", "shop", "scale")]
    [InlineData("-p", "shop", "scale", "web")]
    [InlineData("-p", "shop", "scale", "web=-1")]
    [InlineData("-p", "shop", "scale", "web=2", "web=3")]
    [InlineData("-p", "shop", "kill", "-s", "FOO")]
    [InlineData("-p", "shop", "kill", "-s", "0")]
    [InlineData("-p", "shop", "kill", "-s", "99")]
    [InlineData("-p", "shop", "stop", "-t", "99999999999")]
    [InlineData("whoami", "--port", "abc")]
    [InlineData("whoami", "--port", "0", "--delay-ms", "abc")]
    [InlineData("up", "--wait-timeout", "abc")]
    [InlineData("completion", "tcsh")]
    [InlineData("completion")]
    [InlineData("-p", "shop", "stop", "-t", "soon")]
    [InlineData("-p", "shop", "stop", "-t", "-1")]
    [InlineData("whoami")]
    [InlineData("whoami", "--port", "70000")]
    [InlineData("whoami", "--port", "0", "--host", "somewhere")]
    [InlineData("-f", "missing.yaml", "up", "-d")]
    public async Task A_wrong_command_line_is_exit_code_2_and_touches_nothing(params string[] words)
    {
        (await _run.RunAsync(words)).ShouldBe(ExitCode.InvalidInput);
        _run.Error.ShouldStartWith("tessera: ");
        _run.Error.ShouldNotContain("   at ");
        _run.Error.ShouldNotContain("System.");
        _run.Output.ShouldBeEmpty();
        _run.Daemon.Requests.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("--format: 'xml' is not one of table, json", "-p", "shop", "ps", "--format", "xml")]
    [InlineData("--timeout: 'soon' is not a whole number", "-p", "shop", "stop", "-t", "soon")]
    [InlineData("--port: 'abc' is not a whole number", "whoami", "--port", "abc")]
    [InlineData("no script for 'tcsh'; there are bash, zsh, fish", "completion", "tcsh")]
    [InlineData("seconds since 1970", "-p", "shop", "logs", "--since", "foo")]
    [InlineData("--signal: 'FOO' is not a signal", "-p", "shop", "kill", "-s", "FOO")]
    [InlineData("web stands there twice", "-p", "shop", "scale", "web=2", "web=3")]
    public async Task A_mistake_names_what_is_wrong_and_what_is_right(
        string part, params string[] words)
    {
        await _run.RunAsync(words);
        _run.Error.ShouldContain(part);
    }

    [Fact]
    public async Task A_file_that_cannot_be_written_is_named_with_the_cause()
    {
        _run.WriteFile(TwoServices);
        (await _run.RunAsync("config", "-o", "none/x")).ShouldBe(ExitCode.Failed);
        string folder = Path.Combine(_run.WorkingDirectory, "none");
        _run.Error.ShouldBe(
            $"tessera: --output: '{folder}/x' cannot be written: there is no folder '{folder}'\n");
    }

    [Fact]
    public async Task Standing_troubles_are_said_by_every_command_that_reads()
    {
        _run.Daemon.Daemon = _run.Daemon.Daemon with
        {
            Troubles =
            [
                new ProjectTrouble("other", "other is lost", IsUnreadable: true),
                new ProjectTrouble("shop", "shop is lost", IsUnreadable: true),
                new ProjectTrouble("shop", "shop-web-1 was ended", IsUnreadable: false),
            ],
        };
        (await _run.RunAsync("-p", "shop", "ps", "-q")).ShouldBe(ExitCode.Ok);
        _run.Error.ShouldBe(
            "tessera: warning: other is lost\ntessera: warning: shop-web-1 was ended\n");
    }

    [Fact]
    public async Task A_follower_asks_the_next_daemon_for_the_rest_and_not_for_ever()
    {
        var slot = new SlotName("shop", "web", 1);
        _run.Daemon.LogWriter.TryWrite(
            new LogLine(slot, DateTimeOffset.UnixEpoch.AddSeconds(7), "one"));
        _run.Daemon.LogWriter.Complete(new DaemonLostException("it died"));
        Directory.CreateDirectory(Path.Combine(_run.Home.Projects, "shop"));
        (await _run.RunAsync("-p", "shop", "logs", "-f", "-n", "3")).ShouldBe(ExitCode.Failed);
        LogQuery[] queries = [.. _run.Daemon.Requests.OfType<LogQuery>()];
        queries[0].Tail.ShouldBe(3);
        queries[1].ShouldBe(queries[0] with
        {
            Tail = null,
            Since = DateTimeOffset.UnixEpoch.AddSeconds(7),
        });
        queries.Length.ShouldBe(11);
        _run.Output.ShouldBe("web-1  | one\n");
        _run.Error.ShouldContain("the daemon died; following its successor");
        _run.Error.ShouldEndWith("tessera: it died\n");
    }

    [Fact]
    public async Task A_reader_that_does_not_follow_fails_with_its_daemon()
    {
        _run.Daemon.LogWriter.Complete(new DaemonLostException("it died"));
        (await _run.RunAsync("-p", "shop", "logs")).ShouldBe(ExitCode.Failed);
        _run.Daemon.Requests.OfType<LogQuery>().ShouldHaveSingleItem();
    }

    [Theory]
    [InlineData("up", "--force-recreate", "--no-recreate")]
    [InlineData("up", "-d", "--abort-on-container-exit")]
    [InlineData("up", "--wait", "--exit-code-from", "web")]
    [InlineData("up", "-d", "unknown")]
    [InlineData("up", "-d", "--scale", "unknown=2")]
    [InlineData("up", "--exit-code-from", "unknown")]
    [InlineData("logs", "unknown")]
    [InlineData("config", "unknown")]
    public async Task A_wrong_request_to_a_good_file_is_exit_code_2(params string[] words)
    {
        _run.WriteFile(TwoServices);
        (await _run.RunAsync(words)).ShouldBe(ExitCode.InvalidInput);
        _run.Error.ShouldStartWith("tessera: ");
        _run.Daemon.Requests.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_bad_file_never_reaches_a_daemon()
    {
        _run.WriteFile("services:\n  web:\n    comand: x\n");
        (await _run.RunAsync("up", "-d")).ShouldBe(ExitCode.InvalidInput);
        _run.Error.ShouldContain("compose.yaml:3:5");
        _run.StartedDaemon.ShouldBeNull();
    }

    [Fact]
    public async Task Up_sends_what_was_said()
    {
        _run.WriteFile(TwoServices, "other.yaml");
        _run.Environment = _run.Environment
            .Add("PATH", "/bin").Add("SECRET", "x").Add("LC_ALL", "C");
        _run.Daemon.ProgressWriter.Complete();
        (await _run.RunAsync(
            "-f", "other.yaml", "up", "-d", "--scale", "web=3", "--scale=db=2", "--remove-orphans",
            "--no-deps", "--wait-timeout", "7", "-t", "5", "web")).ShouldBe(ExitCode.Ok);
        var request = _run.Daemon.Requests.ShouldHaveSingleItem().ShouldBeOfType<UpRequest>();
        request.Services.ShouldBe(["web"]);
        request.Scale.ShouldBe(
            ImmutableSortedDictionary<string, int>.Empty.Add("web", 3).Add("db", 2));
        request.BaseEnvironment.Keys.ShouldBe(["LC_ALL", "PATH"]);
        request.RemoveOrphans.ShouldBeTrue();
        request.NoDeps.ShouldBeTrue();
        request.Wait.ShouldBeFalse();
        request.DryRun.ShouldBeFalse();
        request.WaitTimeout.ShouldBe(TimeSpan.FromSeconds(7));
        request.Timeout.ShouldBe(TimeSpan.FromSeconds(5));
        request.CanonicalProject.ShouldContain("\"shop\"");
    }

    [Theory]
    [InlineData("--dry-run", "up")]
    [InlineData("up", "--dry-run")]
    public async Task A_dry_run_prints_the_plan_as_data(params string[] words)
    {
        _run.WriteFile(TwoServices);
        _run.Daemon.ProgressWriter.TryWrite(
            new Progress(ProgressKind.Plan, "", "  1  create shop-db-1: new"));
        _run.Daemon.ProgressWriter.Complete();
        (await _run.RunAsync(words)).ShouldBe(ExitCode.Ok);
        _run.Output.ShouldBe("  1  create shop-db-1: new\n");
        _run.Daemon.Requests.ShouldHaveSingleItem().ShouldBeOfType<UpRequest>()
            .DryRun.ShouldBeTrue();
    }

    [Fact]
    public async Task The_same_letter_means_file_before_and_follow_behind_the_command()
    {
        _run.WriteFile(TwoServices, "other.yaml");
        _run.Daemon.LogWriter.Complete();
        (await _run.RunAsync("-f", "other.yaml", "logs", "-f", "-n", "5", "web")).ShouldBe(0);
        var query = (LogQuery)_run.Daemon.Requests[^1];
        query.Project.ShouldBe("shop");
        query.Follow.ShouldBeTrue();
        query.Tail.ShouldBe(5);
        query.Services.ShouldBe(["web"]);
    }

    [Theory]
    [InlineData(null, null, "shop")]
    [InlineData(null, "env", "env")]
    [InlineData("option", "env", "option")]
    public async Task The_project_is_named_by_option_then_environment_then_file(
        string? option, string? variable, string expected)
    {
        if (option is null && variable is null)
        {
            _run.WriteFile(TwoServices);
        }

        if (variable is not null)
        {
            _run.Environment = _run.Environment.Add("COMPOSE_PROJECT_NAME", variable);
        }

        _run.Daemon.ProgressWriter.Complete();
        string[] words = option is null ? ["stop"] : ["-p", option, "stop"];
        (await _run.RunAsync(words)).ShouldBe(ExitCode.Ok);
        _run.Daemon.Requests.ShouldHaveSingleItem().ShouldBeOfType<ChangeRequest>()
            .Project.ShouldBe(expected);
    }

    [Fact]
    public async Task Changes_send_what_was_said()
    {
        _run.Daemon.ProgressWriter.Complete();
        await _run.RunAsync("-p", "shop", "start", "web");
        await _run.RunAsync("-p", "shop", "stop", "-t", "3", "web", "db", "web");
        await _run.RunAsync("-p", "shop", "restart", "--no-deps");
        await _run.RunAsync("-p", "shop", "kill", "-s", "hup");
        await _run.RunAsync("-p", "shop", "kill");
        await _run.RunAsync("-p", "shop", "scale", "web=3", "db=0");
        ChangeRequest[] requests = [.. _run.Daemon.Requests.Cast<ChangeRequest>()];
        requests.Select(request => request.Kind).ShouldBe(
        [
            ChangeKind.Start, ChangeKind.Stop, ChangeKind.Restart, ChangeKind.Kill, ChangeKind.Kill,
            ChangeKind.Scale,
        ]);
        requests[1].Services.ShouldBe(["web", "db"]);
        requests[1].Timeout.ShouldBe(TimeSpan.FromSeconds(3));
        requests[2].NoDeps.ShouldBeTrue();
        requests[3].Signal.ShouldBe("SIGHUP");
        requests[4].Signal.ShouldBe("SIGKILL");
        requests[5].Scale["web"].ShouldBe(3);
        requests[5].Scale["db"].ShouldBe(0);
    }

    [Fact]
    public async Task A_failure_keeps_its_message_and_exit_code()
    {
        _run.Daemon.ProgressWriter.TryWrite(
            new Progress(ProgressKind.Failed, "shop-web-1", "no such program"));
        _run.Daemon.ProgressWriter.Complete(
            new UserErrorException("shop-web-1: no such program", 1));
        (await _run.RunAsync("-p", "shop", "start")).ShouldBe(ExitCode.Failed);
        _run.Error.ShouldBe(" shop-web-1  Failed\ntessera: shop-web-1: no such program\n");
        _run.Output.ShouldBeEmpty();
    }

    [Fact]
    public async Task An_unexpected_fault_is_short_unless_asked_for()
    {
        _run.Daemon.ListFault = new InvalidOperationException("broken");
        (await _run.RunAsync("-p", "shop", "ps")).ShouldBe(ExitCode.Failed);
        _run.Error.ShouldContain("internal error: broken");
        _run.Error.ShouldNotContain("   at ");
        _run.Environment = _run.Environment.Add("TESSERA_DEBUG", "1");
        await _run.RunAsync("-p", "shop", "ps");
        _run.Error.ShouldContain("   at ");
    }

    [Theory]
    [InlineData(32, 0, "")]
    [InlineData(28, 1, "tessera: full\n")]
    public async Task Output_that_cannot_be_written_is_no_fault_of_ours(
        int errno, int exitCode, string error)
    {
        _run.Daemon.ListFault = new IOException("full", errno);
        (await _run.RunAsync("-p", "shop", "ps")).ShouldBe(exitCode);
        _run.Error.ShouldBe(error);
    }

    [Fact]
    public async Task Ctrl_C_ends_a_command_with_130()
    {
        Task<int> run = _run.RunAsync("-p", "shop", "events");
        _run.Interrupts.Raise();
        (await run).ShouldBe(ExitCode.Interrupted);
        _run.Error.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(0, "ps", "-q")]
    [InlineData(0, "logs")]
    [InlineData(0, "events")]
    [InlineData(0, "down")]
    [InlineData(1, "stop")]
    [InlineData(1, "start")]
    [InlineData(1, "daemon", "status")]
    [InlineData(0, "daemon", "stop")]
    public async Task Without_a_project_on_disk_no_daemon_is_started(
        int exitCode, params string[] words)
    {
        _run.IsDaemonRunning = false;
        (await _run.RunAsync(["-p", "shop", .. words])).ShouldBe(exitCode);
        _run.StartedDaemon.ShouldBe(false);
        _run.Daemon.Requests.ShouldBeEmpty();
    }

    [Fact]
    public async Task With_a_project_on_disk_a_reading_command_starts_the_daemon()
    {
        _run.IsDaemonRunning = false;
        Directory.CreateDirectory(Path.Combine(_run.Home.Projects, "shop"));
        (await _run.RunAsync("-p", "shop", "ps")).ShouldBe(0);
        _run.StartedDaemon.ShouldBe(true);
    }

    [Fact]
    public async Task Version_says_so_in_every_form()
    {
        await _run.RunAsync("version");
        await _run.RunAsync("--version");
        await _run.RunAsync("version", "--short");
        await _run.RunAsync("version", "--format", "json");
        string number = ProgramVersion.Text;
        _run.Output.ShouldBe(
            $"Tessera version {number}\nTessera version {number}\n{number}\n"
            + $"{{\"version\":\"{number}\"}}\n");
        number.ShouldMatch(@"^\d+\.\d+\.\d+$");
    }
}
