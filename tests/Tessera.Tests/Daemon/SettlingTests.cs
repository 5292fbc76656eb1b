using System.Collections.Immutable;
using System.Net;
using Shouldly;
using Tessera.Daemon;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Xunit;

namespace Tessera.Tests.Daemon;

/// <summary>What <c>up -d</c> says of instances when it returns.</summary>
public sealed class SettlingTests
{
    private readonly Catalog _catalog = new();
    private int _count;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_ends_again_and_again_is_told()
    {
        using Settling settling = Begin("web");
        Instance first = Start("web");
        Task<IReadOnlyList<Unsettled>> settled = settling.AwaitAsync(Token);
        Die(first, 3);
        Die(Start("web", restarts: 1), 3);
        Start("web", restarts: 2, InstanceState.Pending);

        Unsettled told = (await settled).ShouldHaveSingleItem();
        told.Describe("boom").ShouldBe("shop-web-1 ends again and again (exit 3: boom)");
    }

    [Fact]
    public async Task A_start_that_went_well_the_second_time_is_no_news()
    {
        using Settling settling = Begin("web");
        Die(Start("web"), 3);
        Instance second = Start("web", restarts: 1);
        Task<IReadOnlyList<Unsettled>> settled = settling.AwaitAsync(Token);
        _catalog.Report(second with { State = InstanceState.Running });

        (await settled).ShouldBeEmpty();
    }

    [Fact]
    public async Task Services_that_the_command_is_not_about_are_not_waited_for()
    {
        using Settling settling = Begin("web");
        _catalog.Report(Start("web") with { State = InstanceState.Running });
        Die(Start("other"), 1);
        Start("other", restarts: 1);

        (await settling.AwaitAsync(Token)).ShouldBeEmpty();
    }

    [Fact]
    public async Task What_ends_for_good_with_a_failure_is_told_and_a_job_that_is_done_is_not()
    {
        using Settling settling = Begin("web", "other");
        Instance failed = Die(Start("web"), 4);
        Instance done = Die(Start("other"), 0);
        _catalog.Report(failed with { State = InstanceState.Exited, IsFinal = true });
        _catalog.Report(done with { State = InstanceState.Exited, IsFinal = true });

        (await settling.AwaitAsync(Token)).ShouldHaveSingleItem()
            .Describe("").ShouldBe("shop-web-1 has ended (exit 4)");
    }

    private Settling Begin(params string[] services) => new(
        _catalog,
        new Project
        {
            Name = "shop",
            WorkingDirectory = "/",
            Files = [],
            Services = ImmutableSortedDictionary.CreateRange(
                StringComparer.Ordinal,
                ((string[])["web", "other"]).Select(name => KeyValuePair.Create(
                    name, new Service { Name = name, WorkingDirectory = "/", ProcessHash = "" }))),
        },
        [.. services],
        TimeProvider.System);

    private Instance Start(
        string service, int restarts = 0, InstanceState state = InstanceState.Starting)
    {
        DateTimeOffset now = DateTimeOffset.UnixEpoch.AddSeconds(_count);
        var instance = new Instance
        {
            Id = $"id{_count++}",
            Slot = new SlotName("shop", service, 1),
            State = state,
            CreatedAt = now,
            ChangedAt = now,
            StartedAt = now,
            ProcessHash = "",
            Restarts = restarts,
            Addresses = ImmutableSortedDictionary<int, IPEndPoint>.Empty.Add(
                80, new IPEndPoint(IPAddress.Loopback, 20_000)),
        };
        _catalog.Report(instance);
        return instance;
    }

    private Instance Die(Instance instance, int exitCode)
    {
        Instance died = instance with { State = InstanceState.Died, ExitCode = exitCode };
        _catalog.Report(died);
        return died;
    }
}
