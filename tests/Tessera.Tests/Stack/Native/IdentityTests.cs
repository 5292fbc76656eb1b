using Shouldly;
using Tessera.Linux.Processes;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;
using Xunit;

namespace Tessera.Tests.Stack.Native;

public class IdentityTests
{
    [Fact]
    public async Task Runs_as_another_user_with_its_limits()
    {
        UserAccount nobody = Accounts.FindUser("nobody")!;
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell(
            "id -u; id -g; ulimit -Sn; ulimit -Hn; echo $HOME $USER; echo again > /dev/stdout") with
        {
            User = "nobody",
            Limits = [new ResourceLimit("nofile", 123, 456)],
            WorkingDirectory = "/",
        };
        if (!await StartsAsync(harness, service))
        {
            return;
        }

        (await harness.WaitAsync(InstanceState.Exited)).ExitCode.ShouldBe(0);

        (await harness.ReadLogAsync()).ShouldBe(
        [
            $"{nobody.UserId}", $"{nobody.GroupId}", "123", "456", $"{nobody.Home} nobody",
            "again",
        ]);
    }

    [Fact]
    public async Task Runs_as_a_user_that_no_account_has()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("id -u; id -g; id -G") with
        {
            User = "54321:12345",
            WorkingDirectory = "/",
        };
        if (!await StartsAsync(harness, service))
        {
            return;
        }

        await harness.WaitAsync(InstanceState.Exited);

        (await harness.ReadLogAsync()).ShouldBe(["54321", "12345", "12345"]);
    }

    /// <summary>Only root can give another identity; everyone else is told so.</summary>
    private static async Task<bool> StartsAsync(NativeEngineHarness harness, Service service)
    {
        if (Accounts.EffectiveUserId == 0)
        {
            await harness.StartAsync(service);
            return true;
        }

        (await Should.ThrowAsync<OperationFailedException>(harness.StartAsync(service)))
            .Message.ShouldBe($"demo-web-1: user '{service.User}': only a daemon that runs as "
                + "root can start processes as another user");
        return false;
    }
}
