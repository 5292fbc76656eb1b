using Shouldly;
using Tessera.Stack.Discovery;
using Xunit;
using static Tessera.Tests.Stack.Planning.PlanFixture;

namespace Tessera.Tests.Stack.Discovery;

public class CatalogTests
{
    private readonly Catalog _catalog = new();

    [Fact]
    public void Refuses_a_state_that_goes_back()
    {
        Instance running = Instance("web");
        _catalog.Report(running);
        Should.Throw<InvalidOperationException>(
            () => _catalog.Report(running with { State = InstanceState.Starting }));
    }

    [Fact]
    public void Has_told_its_observers_when_a_report_returns()
    {
        var seen = new List<CatalogChange>();
        _catalog.Observe(seen.Add);
        _catalog.Report(Instance("web"));
        _catalog.Report(Instance("web"));
        seen.Count.ShouldBe(1, "an equal report is no change");
        _catalog.Remove(Instance("web").Id);
        seen[1].After.ShouldBeNull();
    }

    [Fact]
    public async Task Gives_a_follower_the_snapshot_and_every_change_after_it()
    {
        _catalog.Report(Instance("a"));
        using CatalogSubscription subscription = _catalog.Subscribe();
        _catalog.Report(Instance("b"));
        subscription.Snapshot.Instances.Count.ShouldBe(1);
        CatalogChange change =
            await subscription.Changes.ReadAsync(TestContext.Current.CancellationToken);
        change.Subject.Slot.Service.ShouldBe("b");
    }

    [Fact]
    public async Task Drops_a_follower_that_is_too_far_behind_and_keeps_the_others()
    {
        using CatalogSubscription slow = _catalog.Subscribe();
        for (int i = 0; i <= Catalog.MaxPendingChanges; i++)
        {
            _catalog.Report(Instance("web") with { Restarts = i });
        }

        using CatalogSubscription quick = _catalog.Subscribe();
        _catalog.Remove(Instance("web").Id);
        (await quick.Changes.ReadAsync(TestContext.Current.CancellationToken)).After.ShouldBeNull();
        await Should.ThrowAsync<InvalidOperationException>(async () =>
        {
            await foreach (CatalogChange _ in slow.Changes.ReadAllAsync())
            {
            }
        });
    }
}
