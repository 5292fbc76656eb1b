using Shouldly;
using Tessera.Stack;
using Tessera.Stack.Compose;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

/// <summary>Which files are loaded, what the project is called, which services are
/// enabled.</summary>
public sealed class DiscoveryTests
{
    private const string Echo = "services: { web: { command: echo } }";

    [Theory]
    [InlineData("compose.yaml")]
    [InlineData("compose.yml")]
    [InlineData("docker-compose.yaml")]
    [InlineData("docker-compose.yml")]
    public void Finds_the_file_above(string name)
    {
        using ProjectFolder folder = new();
        folder.Write(name, Echo).Write("a/b/keep", "");
        Project project = ComposeLoader.Load(folder.Request() with
        {
            WorkingDirectory = $"{folder.Path}/a/b",
        }).Project;
        project.Files.ShouldBe([$"{folder.Path}/{name}"]);
        project.WorkingDirectory.ShouldBe(folder.Path);
    }

    [Fact]
    public void Override_lies_beside()
    {
        using ProjectFolder folder = new(Echo);
        folder.Write("compose.override.yaml", "services: { web: { scale: 4 } }");
        Project project = folder.Load().Project;
        project.Files.Length.ShouldBe(2);
        project.Services["web"].Scale.ShouldBe(4);
        folder.Load("compose.yaml").Project.Services["web"].Scale.ShouldBe(1);
        ComposeLoader.Load(folder.Request(folder.Path) with { WorkingDirectory = "/" })
            .Project.Services["web"].Scale.ShouldBe(4);
    }

    [Fact]
    public void Several_candidates_are_told()
    {
        using ProjectFolder folder = new(Echo);
        folder.Write("docker-compose.yml", Echo);
        folder.Load().Warnings.ShouldBe(
        [
            "Found multiple config files with supported names: " +
            $"{folder.Path}/compose.yaml, {folder.Path}/docker-compose.yml. " +
            $"Using {folder.Path}/compose.yaml.",
        ]);
    }

    [Fact]
    public void None_is_an_error()
    {
        using ProjectFolder folder = new();
        folder.Error().ShouldStartWith(
            "no Compose file: none of compose.yaml, compose.yml, docker-compose.yml, " +
            "docker-compose.yaml is in @DIR@ or above");
        folder.Error("none.yaml").ShouldBe("none.yaml: there is no such file or folder.");
        folder.Write("empty/keep", "").Error("empty").ShouldStartWith("empty: none of " +
        "compose.yaml");
    }

    [Fact]
    public void Variable_names_files()
    {
        using ProjectFolder folder = new();
        folder.Write("a.yaml", Echo).Write("b.yaml", "services: { web: { scale: 3 } }");
        folder.Write(".env", "COMPOSE_FILE=a.yaml;b.yaml\nCOMPOSE_PATH_SEPARATOR=;");
        folder.Load().Project.Services["web"].Scale.ShouldBe(3);
        folder.Environment["COMPOSE_FILE"] = "a.yaml";
        folder.Load().Project.Services["web"].Scale.ShouldBe(1);
    }

    [Fact]
    public void Paths_start_in_the_project_directory()
    {
        using ProjectFolder folder = new();
        folder.Write("conf/compose.yaml", """
            services: { web: { command: "echo $A", working_dir: sub, env_file: x.env } }
            """);
        folder.Write("conf/.env", "A=conf").Write("conf/x.env", "X=conf");
        folder.Write("other/.env", "A=other").Write("other/x.env", "X=other");
        Service web = folder.Load("conf/compose.yaml").Project.Services["web"];
        web.Command.ShouldBe(["echo", "conf"]);
        web.Environment["X"].ShouldBe("conf");
        web.WorkingDirectory.ShouldBe($"{folder.Path}/conf/sub");
        Service other = ComposeLoader.Load(
            folder.Request("conf/compose.yaml") with { ProjectDirectory = "other" })
            .Project.Services["web"];
        other.Command.ShouldBe(["echo", "other"]);
        other.Environment["X"].ShouldBe("other");
        other.WorkingDirectory.ShouldBe($"{folder.Path}/other/sub");
    }

    [Theory]
    [InlineData("flag", "variable", "file", "flag")]
    [InlineData(null, "variable", "file", "variable")]
    [InlineData(null, null, "My.File", "myfile")]
    [InlineData(null, null, "$FROM", "from-variable")]
    [InlineData(null, null, null, "my-folder")]
    public void Names(string? flag, string? variable, string? file, string expected)
    {
        using ProjectFolder folder = new();
        folder.Write("My-Folder/compose.yaml", (file is null ? "" : $"name: {file}\n")
            + "services: { web: { command: \"echo $COMPOSE_PROJECT_NAME\" } }");
        folder.Environment["FROM"] = "from-variable";
        if (variable is not null)
        {
            folder.Environment["COMPOSE_PROJECT_NAME"] = variable;
        }

        Project project = ComposeLoader.Load(
            folder.Request("My-Folder") with { ProjectName = flag }).Project;
        project.Name.ShouldBe(expected);
        project.Services["web"].Command[1].ShouldBe(expected);
    }

    [Theory]
    [InlineData("Upper")]
    [InlineData("-dash")]
    [InlineData("a b")]
    public void Invalid_given_name_is_an_error(string name)
    {
        using ProjectFolder folder = new(Echo);
        UserErrorException problem = Should.Throw<UserErrorException>(
            () => ComposeLoader.Load(folder.Request() with { ProjectName = name }));
        problem.Message.ShouldBe(
            $"invalid project name \"{name}\": must consist only of lowercase alphanumeric " +
            "characters, hyphens, and underscores as well as start with a letter or number.");
    }

    [Theory]
    [InlineData("", "", "web")]
    [InlineData("debug", "", "shell,web")]
    [InlineData("debug,extra", "", "more,shell,web")]
    [InlineData("*", "", "more,shell,web")]
    [InlineData("", "extra", "more,web")]
    [InlineData("debug", "extra", "shell,web")]
    public void Profiles_enable_services(string flags, string variable, string expected)
    {
        using ProjectFolder folder = new("""
            services:
              web:
                command: x
                depends_on: { shell: { condition: service_started, required: false } }
              shell: { command: x, profiles: [debug] }
              more: { command: x, profiles: [extra, other] }
            """);
        folder.Environment["COMPOSE_PROFILES"] = variable;
        LoadedProject loaded = ComposeLoader.Load(folder.Request() with
        {
            Profiles = [.. flags.Split(',', StringSplitOptions.RemoveEmptyEntries)],
        });
        string.Join(',', loaded.Project.Services.Keys).ShouldBe(expected);
        loaded.Project.Services["web"].DependsOn.Length
            .ShouldBe(expected.Contains("shell", StringComparison.Ordinal) ? 1 : 0);
    }

    [Fact]
    public void Dependency_must_be_enabled()
    {
        using ProjectFolder folder = new("""
            services:
              web: { command: x, depends_on: [shell] }
              shell: { command: x, profiles: [debug, dev] }
            """);
        folder.Error().ShouldBe(
            "compose.yaml:2:35: service \"web\" depends on \"shell\", which no enabled profile " +
            "includes; enable one of its profiles (debug, dev), or write \"required: false\".");
    }

    [Theory]
    [InlineData("", "web")]
    [InlineData("shell", "db shell web")]
    [InlineData("shell unknown", "db shell web")]
    [InlineData("more", "more web")]
    public void Services_that_are_named_take_part_with_what_they_depend_on(
        string named, string expected)
    {
        using ProjectFolder folder = new(
            """
            services:
              web: { command: x }
              shell: { command: x, profiles: [debug], depends_on: [db] }
              db: { command: x, profiles: [data] }
              more: { command: x, profiles: [debug] }
            """);
        Project project = ComposeLoader.Load(folder.Request() with
        {
            Services = [.. named.Split(' ', StringSplitOptions.RemoveEmptyEntries)],
        }).Project;
        string.Join(' ', project.Services.Keys).ShouldBe(expected);
    }
}
