using Shouldly;
using Tessera.Stack;
using Tessera.Stack.Engines.Native;
using Xunit;

namespace Tessera.Tests.Stack.Native;

public class RestartDecisionTests
{
    private static readonly NativeEngineOptions Options = new() { StateFolder = "/" };

    [Theory]
    [InlineData(RestartCondition.No, null, 1, 1, false, false)]
    [InlineData(RestartCondition.Always, null, 0, 1, true, false)]
    [InlineData(RestartCondition.Always, null, 1, 1_000, true, false)]
    [InlineData(RestartCondition.UnlessStopped, null, 0, 1, true, false)]
    [InlineData(RestartCondition.OnFailure, null, 0, 1, false, false)]
    [InlineData(RestartCondition.OnFailure, null, 1, 1_000, true, false)]
    [InlineData(RestartCondition.OnFailure, null, null, 1, true, false)]
    [InlineData(RestartCondition.OnFailure, 3, 1, 3, true, false)]
    [InlineData(RestartCondition.OnFailure, 3, 1, 4, false, true)]
    [InlineData(RestartCondition.OnFailure, 3, 0, 4, false, false)]
    public void Follows_the_policy(
        RestartCondition condition, int? retries, int? exitCode, int failures, bool restarts,
        bool isFatal)
    {
        RestartDecision decision = RestartDecision.After(
            new RestartPolicy(condition, retries), exitCode, failures, 0.5, Options);

        decision.Restarts.ShouldBe(restarts);
        decision.IsFatal.ShouldBe(isFatal);
    }

    [Theory]
    [InlineData(1, 0.5, 0)]
    [InlineData(2, 0.5, 100)]
    [InlineData(3, 0.5, 200)]
    [InlineData(4, 0, 320)]
    [InlineData(4, 1, 480)]
    [InlineData(8, 0.5, 6_400)]
    [InlineData(9, 0.5, 10_000)]
    [InlineData(int.MaxValue, 0.5, 10_000)]
    public void Waits_longer_each_time(int failures, double jitter, int delayMs) =>
        RestartDecision.After(
            new RestartPolicy(RestartCondition.Always), 1, failures, jitter, Options)
            .Delay.TotalMilliseconds.ShouldBe(delayMs, 0.001);

    [Fact]
    public void Describes_itself()
    {
        RestartDecision.DescribeExit(3).ShouldBe("exit code 3");
        RestartDecision.DescribeExit(143).ShouldBe("exit code 143 (SIGTERM)");
        RestartDecision.DescribeExit(255).ShouldBe("exit code 255");
        RestartDecision.DescribeWait(TimeSpan.FromMilliseconds(1_600), "exit code 3", 5)
            .ShouldBe("restarting in 1.6 s after exit code 3 (5 failures in a row)");
        RestartDecision.DescribeWait(TimeSpan.Zero, "exit code 3", 1)
            .ShouldBe("restarting after exit code 3");
    }
}
