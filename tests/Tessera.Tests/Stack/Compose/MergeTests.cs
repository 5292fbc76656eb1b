using Shouldly;
using Tessera.Stack;
using Tessera.Stack.Compose;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

public sealed class MergeTests
{
    /// <summary>Base, override, and one line of what the service says after the merge.</summary>
    [Theory]
    [InlineData("command: a b", "command: c", "command: [\"c\"]")]
    [InlineData("command: a\nentrypoint: e", "entrypoint: [f, g]",
        "command: [\"a\"] | entrypoint: [\"f\",\"g\"]")]
    [InlineData("command: a\nenvironment: { A: 1, B: 1 }", "environment: [B=2, C=3]",
        "environment: {\"A\":\"1\",\"B\":\"2\",\"C\":\"3\"}")]
    [InlineData("command: a\nlabels: [x=1]", "labels: { y: 2 }",
        "labels: {\"x\":\"1\",\"y\":\"2\"}")]
    [InlineData("command: a\nexpose: [1, 2]", "expose: [\"2\", 3]", "expose: [\"1\",\"2\",\"3\"]")]
    [InlineData("command: a\nports: [\"80:1\"]", "ports: [\"80:1\", \"81:2\"]",
        "ports: 80>1/tcp 81>2/tcp")]
    [InlineData("command: a\nports: [\"80:1\"]",
        "ports: [{target: 1, published: 80, app_protocol: http}, \"80:1/udp\", \"127.0.0.1:81:1\"]",
        "ports: 80>1/tcp 80>1/udp 81>1/tcp")]
    [InlineData("command: a\nhealthcheck: { test: [CMD, a], retries: 5 }",
        "healthcheck: { test: b, interval: 90s }",
        "healthcheck: {\"test\":[\"CMD-SHELL\",\"b\"],\"interval\":\"1m30s\",\"retries\":5}")]
    [InlineData("command: a\nulimits: { nofile: 5, nproc: 6 }",
        "ulimits: { nofile: { soft: 1, hard: 2 } }",
        "ulimits: {\"nofile\":{\"soft\":1,\"hard\":2},\"nproc\":6}")]
    [InlineData("command: a\nprofiles: [p]", "profiles: [p, q]", "profiles: [\"p\",\"q\"]")]
    [InlineData("command: a\nscale: 2", "scale: 5", "scale: 5")]
    [InlineData("command: a\ncap_add: [X]", "cap_add: [Y, X]", "cap_add: [\"X\",\"Y\"]")]
    [InlineData("command: a\nlogging: { driver: x, options: { a: 1 } }",
        "logging: { options: { b: 2 } }",
        "logging: {\"driver\":\"x\",\"options\":{\"a\":\"1\",\"b\":\"2\"}}")]
    [InlineData("command: a\nlogging: { driver: x, options: { a: 1 } }",
        "logging: { driver: y, options: { b: 2 } }",
        "logging: {\"driver\":\"y\",\"options\":{\"b\":\"2\"}}")]
    [InlineData("command: a\nports: [\"80:1\"]", "ports: !override [\"81:2\"]", "ports: 81>2/tcp")]
    [InlineData("command: a\nports: [\"80:1\"]", "ports: !reset []", "ports: ")]
    [InlineData("command: a\nenvironment: { A: 1, B: 2 }", "environment: { A: !reset null }",
        "environment: {\"B\":\"2\"}")]
    [InlineData("command: a\nenvironment: { A: 1 }", "environment: !override { B: 2 }",
        "environment: {\"B\":\"2\"}")]
    [InlineData("command: a\nscale: 2", "scale: !reset null", "scale: ")]
    [InlineData("command: a\nbuild: ./dir", "build: { args: [X=1] }",
        "build: {\"context\":\"@DIR@/dir\",\"dockerfile\":\"Dockerfile\",\"args\":{\"X\":\"1\"}}")]
    [InlineData("image: a\nvolumes: [\"/a:/x\", \"/b:/y\"]", "volumes: [\"/c:/x:ro\"]",
        "volumes: /c>/x /b>/y")]
    [InlineData("command: a\nx-tessera: { weights: [1, 2], balance: ip_hash }",
        "x-tessera: { weights: [3] }", "x-tessera: {\"balance\":\"ip_hash\",\"weights\":[3]}")]
    public void Merges(string first, string second, string expected)
    {
        using ProjectFolder folder = Two(first, second);
        LoadedProject loaded = ComposeLoader.Load(
            folder.Request("a.yaml", "b.yaml") with { Profiles = ["*"] });
        string json = loaded.CanonicalJson.Replace(folder.Path, "@DIR@", StringComparison.Ordinal);
        ServiceText.Pick(json, "web", expected).ShouldBe(expected);
    }

    [Fact]
    public void Dependencies_merge_by_name()
    {
        using ProjectFolder folder = new();
        folder.Write("a.yaml", """
            services:
              web: { command: x, depends_on: [a, b] }
              a: { command: x }
              b: { command: x }
            """);
        folder.Write("b.yaml", """
            services:
              web: { depends_on: { b: { condition: service_healthy, restart: true } } }
            """);
        folder.Load("a.yaml", "b.yaml").Project.Services["web"].DependsOn.ShouldBe(
        [
            new Dependency("a", DependencyCondition.ServiceStarted),
            new Dependency("b", DependencyCondition.ServiceHealthy, Restart: true),
        ]);
    }

    [Fact]
    public void Documents_of_one_file_merge_in_order()
    {
        using ProjectFolder folder = new("""
            services: { web: { command: a, scale: 1 } }
            ---
            services: { web: { scale: 4 }, db: { command: b } }
            """);
        Project project = folder.Load().Project;
        project.Services["web"].Scale.ShouldBe(4);
        project.Services.Count.ShouldBe(2);
    }

    [Fact]
    public void Later_file_may_leave_out_what_an_earlier_one_has()
    {
        using ProjectFolder folder = Two("command: a", "scale: 2");
        folder.Load("a.yaml", "b.yaml").Project.Services["web"].Command.ShouldBe(["a"]);
    }

    [Fact]
    public void Mistake_in_an_override_is_named_there()
    {
        using ProjectFolder folder = Two("command: a", "scael: 2");
        folder.Error("a.yaml", "b.yaml").ShouldBe(
            "b.yaml:3:5: unknown key \"scael\" in services.web; did you mean \"scale\"?");
    }

    [Fact]
    public void Anchors_and_extensions_share_settings()
    {
        using ProjectFolder folder = new("""
            x-base: &base
              restart: always
              environment: &env { A: 1 }
            services:
              a: { <<: *base, command: x }
              b:
                <<: *base
                command: y
                environment: { <<: *env, B: 2 }
            """);
        Project project = folder.Load().Project;
        project.Services["a"].Restart.Condition.ShouldBe(RestartCondition.Always);
        project.Services["b"].Environment.Keys.ShouldBe(["A", "B"]);
        project.Services["a"].Environment.Keys.ShouldBe(["A"]);
    }

    private static ProjectFolder Two(string first, string second) => new ProjectFolder()
        .Write("a.yaml", "services:\n  web:\n    " + first.Replace("\n", "\n    "))
        .Write("b.yaml", "services:\n  web:\n    " + second.Replace("\n", "\n    "));
}
