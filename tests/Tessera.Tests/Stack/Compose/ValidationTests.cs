using Shouldly;
using Tessera.Stack.Compose;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

/// <summary>What a wrong file is answered with; the messages are part of the product.</summary>
public sealed class ValidationTests
{
    [Theory]
    [InlineData("comand: echo",
        "compose.yaml:3:5: unknown key \"comand\" in services.web; did you mean \"command\"?")]
    [InlineData("command: echo\nfoobarbaz: 1",
        "compose.yaml:4:5: unknown key \"foobarbaz\" in services.web.")]
    [InlineData("command: 5",
        "compose.yaml:3:14: services.web.command must be a string or a list, not an integer.")]
    [InlineData("command: [echo, 5]",
        "compose.yaml:3:21: services.web.command[1] must be a string, not an integer.")]
    [InlineData("command: echo \"open",
        "compose.yaml:3:14: services.web.command: a quote is not closed, or a parenthesis stands " +
        "outside of quotes.")]
    [InlineData("command: echo\nports: 80",
        "compose.yaml:4:12: services.web.ports must be a list, not an integer.")]
    [InlineData("command: echo\nports:",
        "compose.yaml:4:5: services.web.ports must be a list, not nothing.")]
    [InlineData("command: echo\nports: [\"80:x\"]",
        "compose.yaml:4:13: services.web.ports[0]: \"80:x\" is no valid port: \"x\" is no port " +
        "or range of ports (1 to 65535).")]
    [InlineData("command: echo\nports: [{published: 80}]",
        "compose.yaml:4:13: services.web.ports[0] needs the key \"target\".")]
    [InlineData("command: echo\nports: [{target: 80, publish: 8080}]",
        "compose.yaml:4:26: unknown key \"publish\" in services.web.ports[0]; did you mean " +
        "\"published\"?")]
    [InlineData("command: echo\nports: [{target: 99999}]",
        "compose.yaml:4:22: services.web.ports: 99999 is no port (1 to 65535).")]
    [InlineData("command: echo\nexpose: [web]",
        "compose.yaml:4:14: services.web.expose: \"web\" is no port or range of ports (1 to " +
        "65535).")]
    [InlineData("command: echo\nenvironment: [A=1, {B: 2}]",
        "compose.yaml:4:24: services.web.environment must be a list of strings such as " +
        "\"KEY=value\", not a mapping.")]
    [InlineData("command: echo\nenvironment: { A: [1] }",
        "compose.yaml:4:23: services.web.environment.A must be a string, a number, a boolean or " +
        "nothing, not a list.")]
    [InlineData("command: echo\nscale: many",
        "compose.yaml:4:12: services.web.scale must be an integer, not \"many\".")]
    [InlineData("command: echo\nscale: -1",
        "compose.yaml:4:12: services.web.scale must be 0 to 10000, not -1.")]
    [InlineData("command: echo\nscale: 2\ndeploy: { replicas: 3 }",
        "compose.yaml:4:12: services.web: can't set distinct values on 'scale' and " +
        "'deploy.replicas'.")]
    [InlineData("command: echo\nrestart: allways",
        "compose.yaml:4:14: services.web.restart: unknown restart policy \"allways\"; use one of " +
        "\"no\", \"always\", \"on-failure[:retries]\" or \"unless-stopped\".")]
    [InlineData("command: echo\nrestart: false",
        "compose.yaml:4:14: services.web.restart must be a string, not a boolean.")]
    [InlineData("command: echo\nstop_signal: SIGTREM",
        "compose.yaml:4:18: services.web.stop_signal: there is no signal \"SIGTREM\"; did you " +
        "mean SIGTERM?")]
    [InlineData("command: echo\nstop_grace_period: 10",
        "compose.yaml:4:24: services.web.stop_grace_period must be a duration such as \"10s\" or " +
        "\"1m30s\", not an integer.")]
    [InlineData("command: echo\nstop_grace_period: soon",
        "compose.yaml:4:24: services.web.stop_grace_period must be a duration such as \"10s\" or " +
        "\"1m30s\", not \"soon\".")]
    [InlineData("command: echo\nuser: a:b:c",
        "compose.yaml:4:11: services.web.user must be user[:group], names or numbers, not " +
        "\"a:b:c\".")]
    [InlineData("command: echo\nulimits: { nofiles: 5 }",
        "compose.yaml:4:16: services.web.ulimits.nofiles: there is no such limit; did you mean " +
        "\"nofile\"?")]
    [InlineData("command: echo\nulimits: { nofile: { soft: 5 } }",
        "compose.yaml:4:24: services.web.ulimits.nofile needs both soft and hard.")]
    [InlineData("command: echo\nulimits: { nofile: { soft: 5, hard: 4 } }",
        "compose.yaml:4:24: services.web.ulimits.nofile: the soft limit is above the hard limit.")]
    [InlineData("command: echo\nhealthcheck: { test: [curl, x] }",
        "compose.yaml:4:26: services.web.healthcheck.test must start either by \"CMD\", " +
        "\"CMD-SHELL\" or \"NONE\".")]
    [InlineData("command: echo\nhealthcheck: { test: [CMD] }",
        "compose.yaml:4:26: services.web.healthcheck.test has no command after \"CMD\".")]
    [InlineData("command: echo\nhealthcheck: { test: x, start_interval: 1s }",
        "compose.yaml:4:45: services.web.healthcheck.start_interval requires " +
        "services.web.healthcheck.start_period to be set.")]
    [InlineData("command: echo\nhealthcheck: { test: x, intervall: 1s }",
        "compose.yaml:4:29: unknown key \"intervall\" in services.web.healthcheck; did you mean " +
        "\"interval\"?")]
    [InlineData("command: echo\ndepends_on: [web2]",
        "compose.yaml:4:18: service \"web\" depends on undefined service \"web2\".")]
    [InlineData("command: echo\ndepends_on: { web: { condition: healthy } }",
        "compose.yaml:4:37: services.web.depends_on.web.condition must be one of " +
        "\"service_started\", \"service_healthy\", \"service_completed_successfully\", not " +
        "\"healthy\".")]
    [InlineData("command: echo\ndepends_on: [web]",
        "compose.yaml:4:18: dependency cycle detected: web -> web; take one of these " +
        "depends_on away.")]
    [InlineData("environment: { A: 1 }",
        "compose.yaml:2:3: service \"web\" has nothing to run: give it a command (or " +
        "entrypoint), an image or build, or x-tessera.endpoints (or files, nginx, redirect, " +
        "reply).")]
    [InlineData("command: echo\nnetworks: [back]",
        "compose.yaml:4:16: service \"web\" refers to undefined network back.")]
    [InlineData("image: x\nsecrets: [key]",
        "compose.yaml:4:15: service \"web\" refers to undefined secret key.")]
    [InlineData("image: x\nvolumes: [\"data:/data\"]",
        "compose.yaml:4:15: service \"web\" refers to undefined volume data.")]
    [InlineData("x-tessera: { endpoint: [\"a:1\"] }",
        "compose.yaml:3:18: unknown key \"endpoint\" in services.web.x-tessera; did you mean " +
        "\"endpoints\"?")]
    [InlineData("x-tessera: { endpoints: [a] }",
        "compose.yaml:3:30: services.web.x-tessera.endpoints: \"a\" must be host:port, such as " +
        "192.0.2.7:8080.")]
    [InlineData("x-tessera: { endpoints: [] }",
        "compose.yaml:3:29: services.web.x-tessera.endpoints is empty: name one server at least, " +
        "such as \"192.0.2.7:8080\".")]
    [InlineData("command: echo\nscale: 99999999999999999999",
        "compose.yaml:4:12: services.web.scale: 99999999999999999999 is too large a number.")]
    [InlineData("command: echo\nx-tessera: { endpoints: [\"a:1\"] }",
        "compose.yaml:2:3: service \"web\" has endpoints, which already run, and a command; " +
        "take one of them away.")]
    [InlineData("scale: 2\nx-tessera: { endpoints: [\"a:1\"] }",
        "compose.yaml:3:12: service \"web\" has endpoints, which already run: it cannot be " +
        "scaled; add endpoints instead.")]
    [InlineData("command: echo\nscale: 2\nx-tessera: { port: 80 }",
        "compose.yaml:4:12: service \"web\" always listens on x-tessera.port: it has one " +
        "instance at most.")]
    [InlineData("command: echo\nx-tessera: { balance: chance }",
        "compose.yaml:4:27: services.web.x-tessera.balance must be one of \"round_robin\", " +
        "\"least_conn\", \"ip_hash\", \"hash\", \"hash_consistent\", \"random\", " +
        "\"random_two\", \"least_time\", \"fair\", not \"chance\".")]
    [InlineData("command: echo\nx-tessera: { hold_timeout: 5 }",
        "compose.yaml:4:32: services.web.x-tessera.hold_timeout must be a duration such as " +
        "\"10s\" or \"1m30s\", not an integer.")]
    [InlineData("command: echo\nports: [\"80:1\", \"80:2\"]",
        "compose.yaml:4:21: port 80/tcp is published twice by service \"web\".")]
    public void Says_what_is_wrong_with_a_service(string service, string message) =>
        ProjectFolder.ErrorOf(service).ShouldBe(message);

    [Theory]
    [InlineData("service: {}", "compose.yaml:1:1: unknown key \"service\" at the top level; " +
        "did you mean \"services\"?")]
    [InlineData("services: [web]", "compose.yaml:1:11: services must be a mapping, not a list.")]
    [InlineData("services: { web: }", "compose.yaml:1:13: services.web must be a mapping, not " +
        "nothing.")]
    [InlineData("services: { \"a b\": { command: echo } }",
        "compose.yaml:1:13: \"a b\" is no valid name in services: letters, digits, \".\", " +
        "\"_\" and \"-\" make a name.")]
    [InlineData("[1]", "compose.yaml:1:1: the top level must be a mapping, not a list.")]
    [InlineData("# nothing", "compose.yaml: empty compose file; it needs \"services:\" at least.")]
    [InlineData("name: 5\nservices: { a: { command: x } }",
        "compose.yaml:1:7: name must be a string, not an integer.")]
    public void Says_what_is_wrong_with_a_file(string file, string message)
    {
        using ProjectFolder folder = new(file);
        folder.Error().ShouldBe(message);
    }

    [Fact]
    public void Names_every_mistake_at_once()
    {
        using ProjectFolder folder = new("""
            services:
              a: { comand: x }
              b: { command: y, prots: [] }
            """);
        folder.Error().ShouldBe(
            "compose.yaml:2:8: unknown key \"comand\" in services.a; did you mean \"command\"?\n" +
            "compose.yaml:3:20: unknown key \"prots\" in services.b; did you mean \"ports\"?");
    }

    [Fact]
    public void Shows_the_path_of_a_cycle()
    {
        using ProjectFolder folder = new("""
            services:
              a: { command: x, depends_on: [b] }
              b: { command: x, depends_on: [c] }
              c: { command: x, depends_on: { b: { condition: service_healthy } } }
            """);
        folder.Error().ShouldBe(
            "compose.yaml:3:33: dependency cycle detected: b -> c -> b; take one of these " +
            "depends_on away.");
    }

    [Fact]
    public void One_public_port_belongs_to_one_service()
    {
        using ProjectFolder folder = new("""
            services:
              a: { command: x, ports: ["8080:80"], scale: 3 }
              b: { command: x, ports: ["127.0.0.1:8080:80"] }
              c: { command: x, ports: ["8080:80/udp"] }
            """);
        folder.Error().ShouldBe(
            "compose.yaml:3:28: port 8080/tcp is published by service \"a\" " +
            "(compose.yaml:2:28) and by service \"b\".");
    }

    [Fact]
    public void Different_addresses_may_share_a_port()
    {
        using ProjectFolder folder = new("""
            services:
              a: { command: x, ports: ["127.0.0.1:8080:80"] }
              b: { command: x, ports: ["127.0.0.2:8080:80"] }
            """);
        folder.Load().Project.Services.Count.ShouldBe(2);
    }

    [Fact]
    public void Names_what_has_no_effect_in_one_sentence()
    {
        using ProjectFolder folder = new("""
            services:
              web:
                command: echo
                volumes: ["/a:/b"]
                tty: true
                deploy: { replicas: 2, resources: { limits: { cpus: "1" } } }
              db: { image: postgres, volumes: ["/c:/d"] }
            networks: { back: }
            """);
        folder.Load().Warnings.ShouldBe(
        [
            "compose.yaml: these keys are not supported yet and have no effect: deploy.resources " +
            "(service web), image (service db), tty (service web), volumes (services db, web), " +
            "networks (top level).",
        ]);
    }

    [Fact]
    public void Warns_of_version_as_compose_does()
    {
        using ProjectFolder folder = new("version: '3'\nservices: { a: { command: x } }");
        folder.Load().Warnings.ShouldBe(
        [
            $"{folder.Path}/compose.yaml: the attribute `version` is obsolete, it will be " +
            "ignored, please remove it to avoid potential confusion",
        ]);
    }

    [Fact]
    public void Warns_where_a_command_needs_a_shell()
    {
        using ProjectFolder folder = new("services:\n  a:\n    command: echo a && echo b");
        LoadedProject loaded = folder.Load();
        loaded.Project.Services["a"].Command.ShouldBe(["echo", "a"]);
        loaded.Warnings.ShouldBe(
        [
            "compose.yaml:3:14: services.a.command: \"&& echo b\" is ignored, as in Compose: " +
            "commands run without a shell; write [\"sh\", \"-c\", \"…\"] to have one.",
        ]);
    }

    [Fact]
    public void Extensions_are_free()
    {
        using ProjectFolder folder = new("""
            x-any: [1, { a: b }]
            services:
              a:
                command: x
                x-own: { any: thing }
                healthcheck: { test: x, x-note: 1 }
            """);
        folder.Load().Warnings.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("http", "http", false)]
    [InlineData("WS", "http", false)]
    [InlineData("tcp", "tcp", false)]
    [InlineData("https", "tcp", false)]
    [InlineData("http2", "tcp", false)]
    [InlineData("mqtt", null, true)]
    public void App_protocol_is_read_or_warned_about(
        string word, string? expected, bool isWarned)
    {
        using ProjectFolder folder = new(
            "services:\n  web:\n    command: x\n    ports: "
            + $"[{{target: 80, app_protocol: {word}}}]");
        LoadedProject loaded = folder.Load();
        loaded.Project.Services["web"].Ports.Single().AppProtocol.ShouldBe(expected);
        loaded.Warnings.Any(w => w.Contains($"app_protocol \"{word}\" is none of"))
            .ShouldBe(isWarned);
    }

    [Fact]
    public void Keys_of_ports_without_effect_are_named()
    {
        using ProjectFolder folder = new(
            """
            services:
              web:
                command: x
                ports:
                  - { target: 80, name: public, mode: host }
                  - { target: 81, name: admin, mode: ingress }
                  - "82"
            """);
        folder.Load().Warnings.ShouldBe([
            "compose.yaml: these keys are not supported yet and have no effect: ports.mode "
            + "(service web), ports.name (service web)."]);
    }
}
