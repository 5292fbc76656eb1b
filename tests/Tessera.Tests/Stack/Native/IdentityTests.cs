using Shouldly;
using Tessera.Linux.Processes;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Xunit;

namespace Tessera.Tests.Stack.Native;

public class IdentityTests
{
    [Fact]
    public async Task Runs_as_another_user_with_its_limits()
    {
        Assert.SkipUnless(Accounts.EffectiveUserId == 0, "only root can give another identity");
        UserAccount nobody = Accounts.FindUser("nobody")!;
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell(
            "id -u; id -g; ulimit -Sn; ulimit -Hn; echo $HOME $USER; echo again > /dev/stdout") with
        {
            User = "nobody",
            Limits = [new ResourceLimit("nofile", 123, 456)],
            WorkingDirectory = "/",
        });

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
        Assert.SkipUnless(Accounts.EffectiveUserId == 0, "only root can give another identity");
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("id -u; id -g; id -G") with
        {
            User = "54321:12345",
            WorkingDirectory = "/",
        });
        await harness.WaitAsync(InstanceState.Exited);

        (await harness.ReadLogAsync()).ShouldBe(["54321", "12345", "12345"]);
    }
}
