using System.Collections.Immutable;
using Shouldly;
using Tessera.Linux.Processes;
using Tessera.Stack;
using Tessera.Stack.Engines.Native;
using Xunit;

namespace Tessera.Tests.Stack.Native;

public class InstanceCommandTests
{
    private static readonly ImmutableSortedDictionary<string, string> None =
        ImmutableSortedDictionary<string, string>.Empty;

    [Theory]
    [InlineData("--port=$PORT", "--port=20001")]
    [InlineData("${PORT}x", "20001x")]
    [InlineData("$PORT_80/$PORT_9090", "20001/20002")]
    [InlineData("${PORT_9090}", "20002")]
    [InlineData("$PORT_81", "$PORT_81")]
    [InlineData("$PORTS $PORT1 ${PORT", "$PORTS $PORT1 ${PORT")]
    [InlineData("$HOME $ $$ ${X:-$PORT}", "$HOME $ $$ ${X:-20001}")]
    [InlineData("$", "$")]
    public void Fills_in_ports_and_nothing_else(string word, string expected) =>
        Create(Service()).Expand(word).ShouldBe(expected);

    [Fact]
    public void Leaves_words_alone_when_there_is_no_port() =>
        new InstanceCommand(
            Service() with { TargetPorts = [] }, ImmutableSortedDictionary<int, int>.Empty, None,
                None, null)
            .Expand("$PORT").ShouldBe("$PORT");

    [Fact]
    public void Gives_a_service_with_a_fixed_port_that_port() =>
        new InstanceCommand(
            Service() with { TargetPorts = [], Options = new ServiceOptions { FixedPort = 9000 } },
            ImmutableSortedDictionary<int, int>.Empty.Add(9000, 9000), None, None, null)
            .Expand("$PORT").ShouldBe("9000");

    [Fact]
    public void Searches_the_instances_own_path()
    {
        InstanceCommand command = Create(Service() with
        {
            Command = ["sh"],
            Environment = None.Add("PATH", "/no/where:/bin"),
        });

        SpawnRequest request = command.CreateRequest("/fifo");

        request.Path.ShouldBe("/bin/sh");
        request.Arguments.ShouldBe(["sh"]);
        request.Environment.ShouldContain("PATH=/no/where:/bin");
    }

    [Fact]
    public void Wraps_limits_and_identity_around_the_program()
    {
        Service service = Service() with
        {
            Command = ["sh", "-c", "true"],
            User = "54321:12345",
            Limits = [new ResourceLimit("nofile", 100, 200), new ResourceLimit("core", -1, -1)],
        };
        if (Accounts.EffectiveUserId != 0)
        {
            Should.Throw<StartFailedException>(() => Create(service))
                .Message.ShouldContain("only a daemon that runs as root");
            service = service with { User = null };
        }

        InstanceCommand command = Create(service);
        SpawnRequest request = command.CreateRequest("/fifo");

        request.Path.ShouldEndWith("/prlimit");
        string.Join(' ', request.Arguments).ShouldMatch(
            "^/[a-z/]+/prlimit --nofile=100:200 --core=unlimited:unlimited -- "
            + "(/[a-z/]+/setpriv --reuid=54321 --regid=12345 --clear-groups -- )?"
            + "/[a-z/]+/sh -c true$");
    }

    [Theory]
    [InlineData("nosuchuser", "user 'nosuchuser': no such user on this machine")]
    [InlineData("root:nosuchgroup", "group 'nosuchgroup': no such group on this machine")]
    public void Refuses_unknown_users_and_groups(string user, string message) =>
        Should.Throw<StartFailedException>(() => Create(Service() with { User = user }))
            .Message.ShouldBe(message);

    [Fact]
    public void Leaves_the_daemons_own_user_unwrapped() =>
        Create(Service() with { User = $"{Accounts.EffectiveUserId}:{Accounts.EffectiveGroupId}" })
            .Identity.ShouldBeNull();

    [Fact]
    public void A_shell_check_keeps_its_words_for_the_shell()
    {
        InstanceCommand command = Create(Service());
        var check = new Healthcheck { Test = ["curl localhost:$PORT"], UsesShell = true };

        command.CreateCheckRequest(check, 1).Arguments.ShouldBe(
            ["/bin/sh", "-c", "curl localhost:$PORT"]);
        command.CreateCheckRequest(check with { Test = ["env", "$PORT"], UsesShell = false }, 1)
            .Arguments.ShouldBe(["env", "20001"]);
    }

    private static Service Service() => new()
    {
        Name = "web",
        Command = ["sh"],
        WorkingDirectory = "/",
        ProcessHash = "",
        TargetPorts = [80, 9090],
    };

    private static InstanceCommand Create(Service service) => new(
        service,
        ImmutableSortedDictionary<int, int>.Empty.Add(80, 20_001).Add(9090, 20_002),
        None, None, null);
}
