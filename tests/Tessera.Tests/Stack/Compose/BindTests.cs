using Shouldly;
using Tessera.Stack;
using Tessera.Stack.Compose;
using Tessera.Stack.Routing;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

public sealed class BindTests
{
    private const string Everything = """
        services:
          db: { command: sleep 1 }
          web:
            entrypoint: ["/bin/app", "--mode"]
            command: run "two words" --port $$PORT
            environment: [A=1, "B=x=y"]
            working_dir: sub/dir
            user: "1000:daemon"
            ulimits: { nofile: { soft: 10, hard: -1 }, core: 0 }
            ports:
              - "127.0.0.1:8443:443"
              - { target: 80, published: "8080", app_protocol: http, name: web, mode: host }
              - "9000"
            expose: ["443", 7000-7001, "53/udp"]
            depends_on: { db: { condition: service_completed_successfully, required: false } }
            scale: 2
            restart: on-failure:4
            stop_signal: INT
            stop_grace_period: 1m
            labels: { a: b }
            healthcheck:
              test: curl -f localhost
              interval: 1s
              timeout: 2s
              retries: 7
              start_period: 3s
              start_interval: 100ms
            x-tessera:
              balance: least_conn
              weights: [3, 1]
              drain_timeout: 1s
              start_timeout: 2s
              hold_timeout: 3s
              hold_queue: 0
              connect_timeout: 4s
              read_timeout: 5s
        """;

    [Fact]
    public void Binds_everything_of_a_native_service()
    {
        using ProjectFolder folder = new(Everything);
        Project project = folder.Load().Project;
        project.Name.ShouldBe("demo");
        project.WorkingDirectory.ShouldBe(folder.Path);
        project.Files.ShouldBe([$"{folder.Path}/compose.yaml"]);
        Service web = project.Services["web"];
        web.Command.ShouldBe(["/bin/app", "--mode", "run", "two words", "--port", "$PORT"]);
        web.Environment.Select(pair => pair.Key + "=" + pair.Value).ShouldBe(["A=1", "B=x=y"]);
        web.WorkingDirectory.ShouldBe($"{folder.Path}/sub/dir");
        web.User.ShouldBe("1000:daemon");
        web.Limits.ShouldBe([new ResourceLimit("core", 0, 0), new ResourceLimit("nofile", 10, -1)]);
        web.Ports.ShouldBe(
        [
            new PortMapping { Target = 443, Published = 8443, HostIp = "127.0.0.1" },
            new PortMapping { Target = 80, Published = 8080, AppProtocol = "http" },
            new PortMapping { Target = 9000 },
        ]);
        web.Expose.ShouldBe([443, 7000, 7001, 53]);
        web.TargetPorts.ShouldBe([443, 80, 9000, 7000, 7001, 53]);
        web.DependsOn.ShouldBe(
        [
            new Dependency(
                "db", DependencyCondition.ServiceCompletedSuccessfully),
        ]);
        web.Scale.ShouldBe(2);
        web.Restart.ShouldBe(new RestartPolicy(RestartCondition.OnFailure, 4));
        web.StopSignal.ShouldBe("SIGINT");
        web.StopGracePeriod.ShouldBe(TimeSpan.FromMinutes(1));
        web.Labels["a"].ShouldBe("b");
        web.ContainerKey.ShouldBeNull();
        Healthcheck check = web.Healthcheck!;
        check.Test.ShouldBe(["curl -f localhost"]);
        check.UsesShell.ShouldBeTrue();
        (check.Interval, check.Timeout, check.Retries).ShouldBe((Seconds(1), Seconds(2), 7));
        (check.StartPeriod, check.StartInterval).ShouldBe((Seconds(3), Seconds(0.1)));
        ServiceOptions options = web.Options;
        options.Balance.ShouldBe("least_conn");
        options.Weights.ShouldBe([3, 1]);
        (options.DrainTimeout, options.StartTimeout, options.HoldTimeout, options.HoldQueueLength,
            options.ConnectTimeout, options.ReadTimeout).ShouldBe(
            (Seconds(1), Seconds(2), Seconds(3), 0, Seconds(4), Seconds(5)));
    }

    [Fact]
    public void Defaults_hold_where_nothing_is_said()
    {
        Service web = ProjectFolder.Bind("command: sleep 1");
        web.Scale.ShouldBe(1);
        web.Restart.ShouldBe(new RestartPolicy(RestartCondition.No));
        web.Healthcheck.ShouldBeNull();
        web.StopSignal.ShouldBe("SIGTERM");
        web.StopGracePeriod.ShouldBe(Seconds(10));
        web.TargetPorts.ShouldBeEmpty();
        web.User.ShouldBeNull();
        web.Options.Weights.ShouldBeEmpty();
        web.Options.HoldQueueLength.ShouldBe(1024);
    }

    [Theory]
    [InlineData("command: a --port $$PORT", "0")]
    [InlineData("command: a --port=$${PORT}/", "0")]
    [InlineData("command: [sh, -c, 'exec a $$PORT;']", "0")]
    [InlineData("command: a $$PORTS", "")]
    [InlineData("command: a", "")]
    [InlineData("command: a\nx-tessera: { port: 3000 }", "3000")]
    [InlineData("command: a $$PORT\nexpose: [80]", "80")]
    public void Target_ports(string service, string expected) =>
        string.Join(',', ProjectFolder.Bind(service).TargetPorts).ShouldBe(expected);

    [Theory]
    [InlineData("command: x\nhealthcheck: { test: [NONE] }")]
    [InlineData("command: x\nhealthcheck: { test: y, disable: true }")]
    [InlineData("command: x\nhealthcheck: { interval: 5s }")]
    public void Healthcheck_may_be_none(string service) =>
        ProjectFolder.Bind(service).Healthcheck.ShouldBeNull();

    [Fact]
    public void Healthcheck_of_a_program()
    {
        Healthcheck check = ProjectFolder.Bind(
            "command: x\nhealthcheck: { test: [CMD, a, 'b c'], interval: 0s }").Healthcheck!;
        check.Test.ShouldBe(["a", "b c"]);
        check.UsesShell.ShouldBeFalse();
        check.Interval.ShouldBe(Seconds(30));
    }

    [Fact]
    public void External_endpoints()
    {
        Service web = ProjectFolder.Bind("""
            x-tessera:
              endpoints:
                - "10.0.0.1:80"
                - { address: "[::1]:81", weight: 3 }
            """);
        web.IsExternal.ShouldBeTrue();
        web.Options.Endpoints.ShouldBe(
            [new ExternalEndpoint("10.0.0.1", 80), new ExternalEndpoint("::1", 81, 3)]);
    }

    [Theory]
    [InlineData("image: x", "image")]
    [InlineData("build: .", "build")]
    [InlineData("image: x\nbuild: .\ncommand: y", "image")]
    public void Containers_are_named(string service, string key) =>
        ProjectFolder.Bind(service).ContainerKey.ShouldBe(key);

    [Theory]
    [InlineData("command: b")]
    [InlineData("command: a\nenvironment: { X: 1 }")]
    [InlineData("command: a\nworking_dir: /tmp")]
    [InlineData("command: a\nuser: nobody")]
    [InlineData("command: a\nulimits: { nofile: 5 }")]
    [InlineData("command: a\nports: [\"80\"]")]
    [InlineData("command: a\nhealthcheck: { test: x }")]
    [InlineData("command: a\nx-tessera: { port: 80 }")]
    public void Hash_changes_with_what_a_process_is_made_of(string service)
    {
        using ProjectFolder folder = TwoServices("command: a", service);
        Project project = folder.Load().Project;
        project.Services["one"].ProcessHash.ShouldNotBe(project.Services["two"].ProcessHash);
    }

    [Theory]
    [InlineData("command: [a]")]
    [InlineData("entrypoint: a")]
    [InlineData("command: a\nscale: 3")]
    [InlineData("command: a\nrestart: always")]
    [InlineData("command: a\nlabels: { x: y }")]
    [InlineData("command: a\nstop_grace_period: 3s")]
    [InlineData("command: a\nx-tessera: { balance: ip_hash }")]
    public void Hash_stays_where_a_process_can(string service)
    {
        using ProjectFolder folder = TwoServices("command: a", service);
        Project project = folder.Load().Project;
        project.Services["one"].ProcessHash.ShouldBe(project.Services["two"].ProcessHash);
    }

    [Fact]
    public void Hash_does_not_see_published_ports()
    {
        using ProjectFolder folder = TwoServices(
            "command: a\nports: [\"80:5000\"]", "command: a\nports: [\"127.0.0.1:81:5000\"]");
        Project project = folder.Load().Project;
        project.Services["one"].ProcessHash.ShouldBe(project.Services["two"].ProcessHash);
    }

    [Fact]
    public void Binds_what_load_printed()
    {
        using ProjectFolder folder = new("services: { web: { command: echo $$PORT $$$$ } }");
        LoadedProject loaded = folder.Load();
        Project again = ComposeLoader.Bind(loaded.CanonicalJson);
        again.Services["web"].Command.ShouldBe(["echo", "$PORT", "$$"]);
        again.Services["web"].ProcessHash.ShouldBe(loaded.Project.Services["web"].ProcessHash);
        again.Files.ShouldBe(loaded.Project.Files);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{}")]
    [InlineData("{\"name\":\"a\",\"services\":{}}")]
    [InlineData("{\"services\":{\"a\":5},\"x-tessera-source\":{}}")]
    public void Refuses_other_documents(string json) =>
        Should.Throw<UserErrorException>(() => ComposeLoader.Bind(json));

    private static ProjectFolder TwoServices(string one, string two) => new(
        "services:\n  one:\n    " + one.Replace("\n", "\n    ")
        + "\n  two:\n    " + two.Replace("\n", "\n    "));

    private static TimeSpan Seconds(double count) => TimeSpan.FromSeconds(count);
}
