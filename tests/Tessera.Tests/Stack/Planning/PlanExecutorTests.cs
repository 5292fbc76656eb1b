using System.Collections.Immutable;
using Shouldly;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;
using Tessera.Stack.Planning;
using Xunit;
using static Tessera.Tests.Stack.Planning.PlanFixture;

namespace Tessera.Tests.Stack.Planning;

public class PlanExecutorTests
{
    private readonly Catalog _catalog = new();

    [Fact]
    public async Task Skips_what_follows_a_failure_and_carries_out_the_rest()
    {
        var engine = new ScriptedEngine { Fails = ["shop-b-1"] };
        Project project = Project(
            Service("a", 1, "v1", On("b")), Service("b"), Service("c"));
        Plan plan = Planner.Up(new PlanRequest(project, null, [], []));

        ImmutableArray<StepReport> failures = await Execute(engine, plan);

        failures.Select(f => (f.Step.Operation.Subject, f.Outcome)).ShouldBe(
            [("shop-b-1", StepOutcome.Failed), ("shop-a-1", StepOutcome.Skipped)]);
        engine.Done.ShouldContain("shop-c-1");
    }

    [Fact]
    public async Task Replaces_one_after_the_other()
    {
        var engine = new ScriptedEngine();
        Project project = Project(Service("web", 4, "v2"));
        Plan plan = Planner.Up(new PlanRequest(project, project,
            [.. Enumerable.Range(1, 4).Select(n => Instance("web", n))], []));

        (await Execute(engine, plan)).ShouldBeEmpty();

        engine.MostAtOnce.ShouldBe(1);
        engine.Done.ShouldBe(["shop-web-1", "shop-web-2", "shop-web-3", "shop-web-4"]);
    }

    [Fact]
    public async Task Begins_no_new_operation_after_a_cancellation()
    {
        using var cancellation = new CancellationTokenSource();
        var engine = new ScriptedEngine { OnExecute = _ => cancellation.Cancel() };
        Project project = Project(Service("web", 3, "v2"));
        Plan plan = Planner.Up(new PlanRequest(project, project,
            [.. Enumerable.Range(1, 3).Select(n => Instance("web", n))], []));

        ImmutableArray<StepReport> rest =
            await new PlanExecutor(engine, _catalog, TimeProvider.System)
                .ExecuteAsync(plan, _ => { }, cancellation.Token);

        engine.Done.ShouldBe(["shop-web-1"]);
        rest.ShouldAllBe(r => r.Outcome == StepOutcome.Skipped);
    }

    [Theory]
    [InlineData(InstanceState.Exited, 0, true)]
    [InlineData(InstanceState.Exited, 1, false)]
    [InlineData(InstanceState.Failed, null, false)]
    public async Task Awaits_a_job_until_it_completed_or_failed(
        InstanceState end, int? exitCode, bool isExpectedToSucceed)
    {
        Service job = Service("job");
        Plan plan = Planner.Up(new PlanRequest(Project(job, Service("web", 1, "v1",
            On("job", DependencyCondition.ServiceCompletedSuccessfully))), null, [], []));
        Instance running = Instance("job") with { Id = "job" };
        var engine = new ScriptedEngine
        {
            OnExecute = operation =>
            {
                if (operation.Subject == "shop-job-1")
                {
                    _catalog.Report(running);
                }
            },
        };

        Task<ImmutableArray<StepReport>> execution = Execute(engine, plan);
        await _catalog.WaitAsync(s => s.Instances.ContainsKey("job"), Cancellation);
        _catalog.Report(running with { State = end, ExitCode = exitCode, IsFinal = true });

        (await execution).IsEmpty.ShouldBe(isExpectedToSucceed);
        engine.Done.Contains("shop-web-1").ShouldBe(isExpectedToSucceed);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private Task<ImmutableArray<StepReport>> Execute(IEngine engine, Plan plan) =>
        new PlanExecutor(engine, _catalog, TimeProvider.System)
            .ExecuteAsync(plan, _ => { }, Cancellation);

    /// <summary>An engine that only notes what it was asked to do, and fails where told.</summary>
    private sealed class ScriptedEngine : IEngine
    {
        private readonly Lock _lock = new();
        private int _running;

        public List<string> Done { get; } = [];
        public HashSet<string> Fails { get; init; } = [];
        public Action<Operation> OnExecute { get; init; } = _ => { };
        public int MostAtOnce { get; private set; }

        public void SetBaseEnvironment(
            string project, ImmutableSortedDictionary<string, string> environment)
        {
        }

        public void Forget(string project)
        {
        }

        public async Task ExecuteAsync(Operation operation, CancellationToken cancellation)
        {
            lock (_lock)
            {
                MostAtOnce = Math.Max(MostAtOnce, ++_running);
            }

            OnExecute(operation);
            await Task.Yield();
            lock (_lock)
            {
                _running--;
                if (operation is not DefineService && !Fails.Contains(operation.Subject))
                {
                    Done.Add(operation.Subject);
                }
            }

            if (Fails.Contains(operation.Subject))
            {
                throw new OperationFailedException($"{operation.Subject} does not start");
            }
        }

        public Task<ImmutableArray<Instance>> ObserveAsync(
            string project, CancellationToken cancellation) =>
            Task.FromResult(ImmutableArray<Instance>.Empty);

        public IAsyncEnumerable<LogLine> LogsAsync(
            LogQuery query, CancellationToken cancellation) =>
            AsyncEnumerable.Empty<LogLine>();
    }
}
