using Shouldly;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Planning;
using Tessera.Stack.Routing;
using Xunit;
using static Tessera.Tests.Stack.Planning.PlanFixture;

namespace Tessera.Tests.Stack.Planning;

public class PlannerTests
{
    private static PlanRequest Request(
        Project desired, Project? previous = null, params Instance[] observed) =>
        new(desired, previous, [.. observed], []);

    private static void ShouldRead(Plan plan, params string[] lines) =>
        plan.ToString().ShouldBe(string.Join('\n', lines));

    [Fact]
    public void Starts_every_slot_of_a_new_service()
    {
        ShouldRead(Planner.Up(Request(Project(Service("web", scale: 3)))),
            "  1  define  web: new service",
            "  2  start   shop-web-1: there is none yet (after 1)",
            "  3  start   shop-web-2: there is none yet (after 1)",
            "  4  start   shop-web-3: there is none yet (after 1)");
    }

    [Fact]
    public void Does_nothing_when_everything_is_as_wanted()
    {
        Project project = Project(Service("web", scale: 2));
        Planner.Up(Request(project, project, Instance("web", 1), Instance("web", 2)))
            .Steps.ShouldBeEmpty();
    }

    [Fact]
    public void Replaces_a_changed_service_one_instance_at_a_time()
    {
        ShouldRead(
            Planner.Up(Request(Project(Service("web", 3, "v2")), Project(Service("web", 3)),
                Instance("web", 1), Instance("web", 2), Instance("web", 3))),
            "  1  define  web: its definition has changed",
            "  2  replace shop-web-1: its definition has changed (after 1)",
            "  3  replace shop-web-2: its definition has changed (after 1, 2)",
            "  4  replace shop-web-3: its definition has changed (after 1, 2, 3)");
    }

    [Fact]
    public void Leaves_instances_alone_when_only_the_definition_around_the_process_changed()
    {
        Service labelled = Service("web") with { DefinitionHash = "labels changed" };
        ShouldRead(Planner.Up(Request(Project(labelled), Project(Service("web")), Instance("web"))),
            "  1  define  web: its definition has changed");
    }

    [Fact]
    public void Scales_down_from_the_highest_slot()
    {
        ShouldRead(
            Planner.Up(Request(Project(Service("web", 1)), Project(Service("web", 3)),
                Instance("web", 1), Instance("web", 2), Instance("web", 3))),
            "  1  define  web: its scale has changed from 3 to 1",
            "  2  remove  shop-web-3: scale 3 -> 1 (after 1)",
            "  3  remove  shop-web-2: scale 3 -> 1 (after 1)");
    }

    [Fact]
    public void Waits_for_a_dependency_to_be_ready_before_it_starts_the_dependent()
    {
        Project project = Project(
            Service("web", 1, "v1", On("db", DependencyCondition.ServiceHealthy)), Service("db"));
        ShouldRead(Planner.Up(Request(project)),
            "  1  define  db: new service",
            "  2  start   shop-db-1: there is none yet (after 1)",
            "  3  define  web: new service",
            "  4  await   db ready: web depends on it (after 1, 2)",
            "  5  start   shop-web-1: there is none yet (after 1, 2, 3, 4)");
    }

    [Fact]
    public void Does_not_wait_for_a_dependency_that_is_ready_already()
    {
        Project project = Project(
            Service("web", 1, "v1", On("db", DependencyCondition.ServiceHealthy)), Service("db"));
        ShouldRead(
            Planner.Up(Request(project, project, Instance("db", health: InstanceHealth.Healthy))),
            "  1  start   shop-web-1: there is none yet");
    }

    [Fact]
    public void Waits_for_a_job_to_complete()
    {
        Project project = Project(Service("job"), Service(
            "web", 1, "v1", On("job", DependencyCondition.ServiceCompletedSuccessfully)));
        Planner.Up(Request(project)).ToString().ShouldContain(
            "await   job completed: web depends on it (after 1, 2)");
    }

    [Fact]
    public void Starts_what_exited_and_leaves_a_backoff_alone()
    {
        Project project = Project(Service("web", 2));
        Instance backingOff = Instance("web", 2, InstanceState.Pending) with { Restarts = 4 };
        ShouldRead(
            Planner.Up(Request(project, project,
                Instance("web", 1, InstanceState.Exited, exitCode: 3), backingOff)),
            "  1  start   shop-web-1: it is exited (3)");
    }

    [Fact]
    public void Reports_orphans_and_removes_them_only_when_asked()
    {
        Project project = Project(Service("web"));
        PlanRequest request = Request(project, project, Instance("web"), Instance("old"));

        Plan reported = Planner.Up(request);
        reported.Steps.ShouldBeEmpty();
        reported.Warnings.ShouldHaveSingleItem().ShouldContain("shop-old-1");
        ShouldRead(Planner.Up(request with { RemoveOrphans = true }),
            "  1  remove  shop-old-1: the file no longer has its service");
    }

    [Fact]
    public void Takes_only_the_named_services_and_what_they_depend_on()
    {
        Project project = Project(
            Service("web", 1, "v1", On("db")), Service("db"), Service("mail"));
        Planner.Up(Request(project) with { Services = ["web"] }).Steps
            .Select(s => s.Operation.Subject).ShouldBe(["db", "shop-db-1", "web", "shop-web-1"]);
        Planner.Up(Request(project) with { Services = ["web"], NoDeps = true }).Steps
            .Select(s => s.Operation.Subject).ShouldBe(["web", "shop-web-1"]);
    }

    [Fact]
    public void Never_waits_for_a_step_below()
    {
        Project project = Project(
            Service("a", 2, "v1", On("b", DependencyCondition.ServiceHealthy), On("c")),
            Service("b", 3, "v2", On("c", DependencyCondition.ServiceHealthy)),
            Service("c"));
        Plan plan = Planner.Up(Request(project, null, Instance("b", 1), Instance("b", 2))
            with
        { Wait = true });
        plan.Steps.ShouldAllBe(step => step.After.All(number => number < step.Number));
    }

    [Fact]
    public void Takes_dependents_down_before_what_they_depend_on()
    {
        Project project = Project(Service("web", 1, "v1", On("db")), Service("db"));
        ShouldRead(Planner.Down("shop", project, [Instance("db"), Instance("web")], [], null),
            "  1  remove  shop-web-1: down",
            "  2  remove  shop-db-1: down (after 1)");
    }

    [Fact]
    public void Takes_down_instances_whose_definition_is_lost()
    {
        ShouldRead(Planner.Down("shop", null, [Instance("web")], [], null),
            "  1  remove  shop-web-1: down");
    }

    [Fact]
    public void Restarts_one_instance_at_a_time_and_dependents_that_ask_for_it()
    {
        Project project = Project(
            Service("web", 2, "v1", On("db", restart: true)), Service("db"), Service("mail"));
        ShouldRead(
            Planner.Restart(Request(project, project, Instance("db"), Instance("mail"),
                Instance("web", 1), Instance("web", 2)) with
            { Services = ["db"] }),
            "  1  replace shop-db-1: restart",
            "  2  replace shop-web-1: restart (after 1)",
            "  3  replace shop-web-2: restart (after 2)");
    }

    [Fact]
    public void Replaces_dependents_that_ask_for_it_when_up_replaces_their_dependency()
    {
        Service web = Service("web", 1, "v1", On("db", restart: true));
        ShouldRead(
            Planner.Up(Request(Project(web, Service("db", hash: "v2")),
                Project(web, Service("db")), Instance("db"), Instance("web"))),
            "  1  define  db: its definition has changed",
            "  2  replace shop-db-1: its definition has changed (after 1)",
            "  3  replace shop-web-1: db, which it depends on, is replaced (after 1, 2)");
    }

    [Fact]
    public void Completes_what_a_killed_daemon_had_begun_and_touches_nothing_else()
    {
        Project project = Project(Service("web", 3), Service("never-begun"), Service("api", 1));
        ShouldRead(
            Planner.Complete(project, [
                Instance("web", 1), Instance("web", 3, InstanceState.Exited, exitCode: 0),
                Instance("api", 1), Instance("api", 2)]),
            "  1  remove  shop-api-2: its daemon did not come to it",
            "  2  start   shop-web-2: its daemon did not come to it");
    }

    [Fact]
    public void Stops_only_what_runs()
    {
        Project project = Project(Service("web", 2));
        ShouldRead(
            Planner.Stop(Request(project, project, Instance("web", 1),
                Instance("web", 2, InstanceState.Exited, exitCode: 0))),
            "  1  stop    shop-web-1: stop");
    }

    [Fact]
    public void Defines_external_services_and_starts_nothing_for_them()
    {
        Service external = Service("legacy") with
        {
            Options = new ServiceOptions { Endpoints = [new ExternalEndpoint("127.0.0.1", 9_000)] },
        };
        ShouldRead(Planner.Up(Request(Project(external)) with { Wait = true }),
            "  1  define  legacy: new service");
    }
}
