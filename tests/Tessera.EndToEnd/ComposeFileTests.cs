using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>Files that are wrong, and files that use what Compose offers.</summary>
public sealed class ComposeFileTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Theory]
    [InlineData("bad YAML", "compose.yaml:4:", "",
        "services:\n  web:\n    command: sleep 1000\n   scale: 2")]
    [InlineData("duplicate key", "compose.yaml:4:5", "command",
        "services:\n  web:\n    command: sleep 1000\n    command: sleep 2000")]
    [InlineData("wrong type", "compose.yaml:4:12", "scale",
        "services:\n  web:\n    command: sleep 1000\n    scale: many")]
    [InlineData("unknown key", "compose.yaml:4:5", "restart",
        "services:\n  web:\n    command: sleep 1000\n    restrat: always")]
    [InlineData("cycle", "compose.yaml:", "cycle",
        "services:\n  web:\n    command: sleep 1000\n    depends_on: [db]\n"
        + "  db:\n    command: sleep 1000\n    depends_on: [web]")]
    [InlineData("undefined service", "compose.yaml:4:", "db",
        "services:\n  web:\n    command: sleep 1000\n    depends_on: [db]")]
    [InlineData("missing variable", "compose.yaml:3:", "give me one",
        "services:\n  web:\n    command: sleep ${NOWHERE_SET:?give me one}")]
    public async Task A_wrong_file_is_an_error_that_names_its_place_and_touches_nothing(
        string what, string place, string mentions, string yaml)
    {
        ComposeProject running = host.Project(
            "services:\n  web:\n    command: sleep 1000\n    stop_grace_period: 0s", "wrong");
        await using (running)
        {
            await running.UpAsync();
            Dictionary<string, int> before = await running.PidsAsync();
            running.Write(yaml);
            foreach (string[] command in new string[][] { ["up", "-d"], ["restart"], ["config"] })
            {
                CommandResult result = await host.RunAsync(["-f", running.File, .. command]);
                result.ExitCode.ShouldBe(2, $"{what}: {result}");
                result.Errors.ShouldContain(place, Case.Sensitive, what);
                result.Errors.ShouldContain(mentions, Case.Insensitive, what);
                result.Output.ShouldBeEmpty();
            }

            running.Write("services:\n  web:\n    command: sleep 1000\n    stop_grace_period: 0s");
            (await running.PidsAsync()).ShouldBe(before, ignoreOrder: true);
        }
    }

    [Fact]
    public async Task A_wrong_file_starts_no_daemon()
    {
        await using var other = new TesseraHost();
        ComposeProject project = other.Project("services:\n  web:\n    comand: sleep 1000");

        (await project.RunAsync("up", "-d")).ShouldExitWith(2);

        Processes.FindMarked(other.Root).ShouldBeEmpty();
        other.StateFiles().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_missing_file_and_a_wrong_command_line_are_told_apart_from_failures()
    {
        CommandResult missing = await host.RunAsync("-f", "/nonexistent/compose.yaml", "up");
        missing.ShouldExitWith(2);
        missing.Errors.ShouldContain("/nonexistent/compose.yaml");
        CommandResult option = await host.RunAsync("up", "--no-such-option");
        option.ShouldExitWith(2);
        option.Errors.ShouldContain("option");
        (await host.RunAsync("no-such-command")).ShouldExitWith(2);
    }

    [Fact]
    public async Task A_key_that_does_not_work_yet_is_named_in_one_warning()
    {
        ComposeProject project = host.Project("""
            services:
              one: { command: sleep 1000, cap_add: [NET_ADMIN] }
              two: { command: sleep 1000, cap_add: [NET_ADMIN] }
            """);

        CommandResult config = (await project.RunAsync("config")).ShouldSucceed();

        config.Errors.Split('\n').Count(line => line.Contains("cap_add", StringComparison.Ordinal))
            .ShouldBe(1, config.Errors);
    }

    [Fact]
    public async Task Variables_come_from_the_caller_then_env_files()
    {
        ComposeProject project = host.Project("""
            services:
              web:
                command: sh -c 'echo "$$A $$B $$C ${D-unset} $${E} costs $$5"; sleep 1000'
                stop_grace_period: 0s
                env_file: extra.env
                environment:
                  A: ${FROM_DOTENV:-none}
                  B: ${FROM_CALLER:?needed}
            """, "variables");
        await using (project)
        {
            project.Write("FROM_DOTENV=dotenv\nFROM_CALLER=overridden", ".env");
            project.Write("A=hidden\nC=extra", "extra.env");
            host.Variables["FROM_CALLER"] = "caller";
            await project.UpAsync();
            host.Variables.Remove("FROM_CALLER");

            await Eventually.HoldsAsync(
                "the line is logged",
                async () => (await project.RunAsync("logs", "--no-log-prefix"))
                    .Output.Contains("dotenv caller extra unset", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Several_files_are_merged_and_the_name_comes_from_the_folder()
    {
        string folder = Path.Combine(host.Root, "My Folder.2");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "compose.yaml"), """
            services:
              web:
                command: sleep 1000
                environment: { A: "1", B: "1" }
                expose: ["80"]
            """);
        File.WriteAllText(Path.Combine(folder, "more.yaml"), """
            services:
              web:
                environment: { B: "2" }
                scale: 2
            """);

        CommandResult config = (await host.RunAsync(
            "-f", Path.Combine(folder, "compose.yaml"), "-f", Path.Combine(folder, "more.yaml"),
            "config", "--format", "json")).ShouldSucceed();

        using System.Text.Json.JsonDocument json =
            System.Text.Json.JsonDocument.Parse(config.Output);
        json.RootElement.GetProperty("name").GetString().ShouldBe("myfolder2");
        System.Text.Json.JsonElement web =
            json.RootElement.GetProperty("services").GetProperty("web");
        web.GetProperty("environment").GetProperty("A").GetString().ShouldBe("1");
        web.GetProperty("environment").GetProperty("B").GetString().ShouldBe("2");
        web.GetProperty("scale").GetInt32().ShouldBe(2);
    }

    [Fact]
    public async Task Config_prints_what_it_can_read_back()
    {
        ComposeProject project = host.Project("""
            services:
              web:
                command: sh -c 'echo $$PORT; sleep 1000'
                environment: ["A=${NOT_SET:-b}"]
                ports: ["8080-8081:80-81"]
            """, "readback");
        CommandResult first = (await project.RunAsync("config")).ShouldSucceed();

        project.Write(first.Output);
        CommandResult second = (await project.RunAsync("config")).ShouldSucceed();

        second.Output.ShouldBe(first.Output);
        second.Output.ShouldContain("$$PORT");
        second.Output.ShouldNotContain("x-tessera-source");
    }

    [Fact]
    public async Task Profiles_are_started_only_when_asked_for()
    {
        ComposeProject project = host.Project("""
            services:
              always: { command: sleep 1000, stop_grace_period: 0s }
              debug: { command: sleep 1000, stop_grace_period: 0s, profiles: [debug] }
            """, "profiles");
        await using (project)
        {
            await project.UpAsync();
            (await project.PsAsync()).Select(row => row.Service).ShouldBe(["always"]);

            (await host.RunAsync(
                "-f", project.File, "-p", project.Name, "--profile", "debug", "up", "-d"))
                .ShouldSucceed();
            CommandResult ps = (await host.RunAsync(
                "-f", project.File, "-p", project.Name, "--profile", "debug",
                "ps", "--format", "json")).ShouldSucceed();
            ps.OutputLines.Select(InstanceRow.Parse).Select(row => row.Service)
                .ShouldBe(["always", "debug"]);
            (await host.RunAsync(
                "-f", project.File, "-p", project.Name, "--profile", "debug", "down"))
                .ShouldSucceed();
        }
    }

    [Fact]
    public async Task A_container_service_is_refused_before_anything_starts()
    {
        ComposeProject project = host.Project("""
            services:
              web: { command: sleep 1000 }
              db: { image: "redis:7" }
            """);

        CommandResult up = await project.RunAsync("up", "-d");

        up.ExitCode.ShouldNotBe(0);
        up.Errors.ShouldContain("db");
        up.Errors.ShouldContain("image");
        (await project.PsAsync()).ShouldBeEmpty();
    }
}
