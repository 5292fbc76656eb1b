using Shouldly;
using Tessera.Stack;
using Tessera.Stack.Compose;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

/// <summary><c>extends</c> and <c>include</c>.</summary>
public sealed class AssemblyTests
{
    [Fact]
    public void Service_extends_another_one()
    {
        using ProjectFolder folder = new("""
            services:
              base: { command: a, environment: { A: 1, B: 1 }, labels: [x=1], expose: [1] }
              middle: { extends: base, environment: [B=2], expose: [2] }
              web: { extends: { service: middle }, command: c, labels: !reset null }
            """);
        Project project = folder.Load().Project;
        Service web = project.Services["web"];
        web.Command.ShouldBe(["c"]);
        web.Environment.Select(pair => pair.Key + "=" + pair.Value).ShouldBe(["A=1", "B=2"]);
        web.Expose.ShouldBe([1, 2]);
        web.Labels.ShouldBeEmpty();
        project.Services["base"].Environment["B"].ShouldBe("1");
        folder.Json().ShouldNotContain("extends");
    }

    [Fact]
    public void Service_extends_one_of_another_file()
    {
        using ProjectFolder folder = new("""
            services:
              web: { extends: { file: common/base.yaml, service: app }, scale: 2 }
            """);
        folder.Write("common/base.yaml", """
            services:
              app:
                extends: root
                env_file: app.env
                working_dir: run
              root: { command: "echo ${WHO:-nobody}", restart: always }
            """);
        folder.Write("common/app.env", "FROM=common");
        folder.Environment["WHO"] = "me";
        Service web = folder.Load().Project.Services["web"];
        web.Command.ShouldBe(["echo", "me"]);
        web.Restart.Condition.ShouldBe(RestartCondition.Always);
        web.Environment["FROM"].ShouldBe("common");
        web.WorkingDirectory.ShouldBe($"{folder.Path}/common/run");
        web.Scale.ShouldBe(2);
    }

    [Theory]
    [InlineData("web: { extends: wep }\n  wap: { command: x }",
        "compose.yaml:2:19: cannot extend service \"web\": service \"wep\" not found; did you " +
        "mean \"wap\"?")]
    [InlineData("web: { extends: { file: none.yaml, service: x } }",
        "compose.yaml:2:27: there is no file none.yaml.")]
    [InlineData("web: { extends: db, command: x }\n  db: { extends: web, command: y }",
        "compose.yaml:2:19: circular reference with extends: web -> db -> web.")]
    public void Extends_is_refused(string services, string message)
    {
        using ProjectFolder folder = new("services:\n  " + services);
        folder.Error().ShouldBe(message);
    }

    [Fact]
    public void Included_project_has_a_folder_and_variables_of_its_own()
    {
        using ProjectFolder folder = new("""
            include:
              - sub/compose.yaml
              - path: [other/a.yaml, other/b.yaml]
                project_directory: other
                env_file: more.env
            services: { web: { command: "echo $WHO", depends_on: [sub, other] } }
            """);
        folder.Write("sub/compose.yaml", """
            services:
              sub: { command: "echo $WHO", env_file: x.env, environment: [WHO] }
            """);
        folder.Write("sub/.env", "WHO=sub").Write("sub/x.env", "X=sub");
        folder.Write("other/a.yaml", "services: { other: { command: \"echo $WHO\" } }");
        folder.Write("other/b.yaml", "services: { other: { scale: 3 } }");
        folder.Write("more.env", "WHO=more").Write(".env", "");
        LoadedProject loaded = folder.Load();
        Service sub = loaded.Project.Services["sub"];
        sub.Command.ShouldBe(["echo", "sub"]);
        sub.Environment.Select(pair => pair.Key + "=" + pair.Value).ShouldBe(["WHO=sub", "X=sub"]);
        sub.WorkingDirectory.ShouldBe($"{folder.Path}/sub");
        loaded.Project.Services["other"].Command.ShouldBe(["echo", "more"]);
        loaded.Project.Services["other"].Scale.ShouldBe(3);
        loaded.Project.Services["web"].Command.ShouldBe(["echo"]);
    }

    [Fact]
    public void Override_file_may_change_what_is_included()
    {
        using ProjectFolder folder = new("include: [sub/compose.yaml]");
        folder.Write("sub/compose.yaml", "services: { sub: { command: x } }");
        folder.Write("compose.override.yaml", "services: { sub: { scale: 2 } }");
        folder.Load().Project.Services["sub"].Scale.ShouldBe(2);
    }

    [Fact]
    public void Nothing_is_declared_twice()
    {
        using ProjectFolder folder = new("""
            include: [sub/compose.yaml]
            services: { sub: { command: y } }
            """);
        folder.Write("sub/compose.yaml", "services: { sub: { command: x } }");
        folder.Error().ShouldBe(
            "compose.yaml:2:13: services.sub is also declared by the included " +
            "sub/compose.yaml:1:13; rename one, or change it in an override file.");
    }

    [Theory]
    [InlineData("include: [none.yaml]", "compose.yaml:1:11: there is no file none.yaml.")]
    [InlineData("include: [a.yaml]",
        "b.yaml:1:11: include cycle detected: a.yaml -> b.yaml -> a.yaml.")]
    [InlineData("include: [compose.yaml]",
        "compose.yaml:1:11: include cycle detected: compose.yaml -> compose.yaml.")]
    [InlineData("include: [{ path: [] }]", "compose.yaml:1:11: this include names no file.")]
    [InlineData("include: [{ path: a.yaml, projct_directory: x }]",
        "compose.yaml:1:27: unknown key \"projct_directory\" in include[0]; did you mean " +
        "\"project_directory\"?")]
    [InlineData("include: [{ env_file: x }]",
        "compose.yaml:1:11: include[0] needs the key \"path\".")]
    public void Include_is_refused(string text, string message)
    {
        using ProjectFolder folder = new(text);
        folder.Write("a.yaml", "include: [b.yaml]").Write("b.yaml", "include: [a.yaml]");
        folder.Error().ShouldBe(message);
    }

    [Fact]
    public void Implied_dependencies_are_written_out()
    {
        using ProjectFolder folder = new("""
            services:
              a: { image: x, links: ["b:bee"], network_mode: "service:c", volumes_from: ["d:ro"] }
              b: { image: x }
              c: { image: x }
              d: { image: x }
            """);
        Service service = folder.Load().Project.Services["a"];
        service.DependsOn.ShouldBe(
        [
            new Dependency("b", DependencyCondition.ServiceStarted, Restart: true),
            new Dependency("c", DependencyCondition.ServiceStarted, Restart: true),
            new Dependency("d", DependencyCondition.ServiceStarted),
        ]);
    }

    [Fact]
    public void Unused_resources_are_left_out()
    {
        using ProjectFolder folder = new("""
            services:
              a: { image: x, networks: [used], volumes: ["kept:/a"] }
            networks: { used: , unused: }
            volumes: { kept: , dropped: }
            secrets: { key: { file: x } }
            """);
        string json = folder.Json();
        json.ShouldContain("demo_used");
        json.ShouldContain("demo_kept");
        json.ShouldNotContain("unused");
        json.ShouldNotContain("dropped");
        json.ShouldNotContain("secrets");
    }
}
