using Shouldly;
using Tessera.Proxy.Health;
using Xunit;

namespace Tessera.Tests.Proxy.Health;

public sealed class RetryBudgetTests
{
    [Fact]
    public void Gives_ten_a_second_without_any_request()
    {
        var budget = new RetryBudget(reactors: 2);
        for (long second = 100; second < 130; second++)
        {
            Taken(budget, second * 1_000, percent: 0, attempts: 50).ShouldBe(10);
        }
    }

    [Fact]
    public void Gives_a_share_of_the_requests_of_the_last_ten_seconds()
    {
        var budget = new RetryBudget(reactors: 3);
        for (int i = 0; i < 900; i++)
        {
            budget.CountRequest(i % 3, 5_000 + i);
        }

        Taken(budget, 14_999, percent: 20, attempts: 1_000).ShouldBe(180);

        // Of those requests nothing counts any more, and neither do the retries.
        Taken(budget, 25_000, percent: 20, attempts: 1_000).ShouldBe(10);
    }

    [Fact]
    public void Counts_retries_of_all_threads()
    {
        var budget = new RetryBudget(reactors: 1);
        for (int i = 0; i < 1_000; i++)
        {
            budget.CountRequest(0, 5_000);
        }

        int taken = 0;
        Parallel.For(0, 8, _ => Interlocked.Add(ref taken, Taken(budget, 5_000, 20, 200)));
        taken.ShouldBe(200);
    }

    private static int Taken(RetryBudget budget, long nowMs, int percent, int attempts) =>
        Enumerable.Range(0, attempts).Count(_ => budget.TryTake(nowMs, percent));
}
