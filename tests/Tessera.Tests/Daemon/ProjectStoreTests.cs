using System.Collections.Immutable;
using Shouldly;
using Tessera.Daemon;
using Tessera.Stack;
using Xunit;
using static Tessera.Tests.Stack.Planning.PlanFixture;

namespace Tessera.Tests.Daemon;

public sealed class ProjectStoreTests : IDisposable
{
    private readonly TesseraHome _home =
        new(Directory.CreateTempSubdirectory("tessera-store-").FullName);

    private readonly ProjectStore _store;
    private readonly List<string> _log = [];

    public ProjectStoreTests() => _store = new ProjectStore(_home);

    public void Dispose() => Directory.Delete(_home.Path, recursive: true);

    private static ProjectEntry Entry() => new()
    {
        Project = Project(Service("web", 3) with
        {
            Ports = [new PortMapping { Target = 80 }],
            Restart = new RestartPolicy(RestartCondition.OnFailure, 4),
            Healthcheck = new Healthcheck { Test = ["curl", "localhost"] },
            Options =
                new ServiceOptions { Weights = [3, 1], DrainTimeout = TimeSpan.FromSeconds(2) },
        }),
        BaseEnvironment = ImmutableSortedDictionary<string, string>.Empty.Add("PATH", "/bin"),
        AssignedPorts = ImmutableSortedDictionary<string, int>.Empty.Add("web::80/tcp", 40_000),
    };

    [Fact]
    public void Gives_back_what_was_saved()
    {
        _store.Save(Entry());
        ProjectEntry loaded = _store.Load("shop", _log.Add)!;
        Service web = loaded.Project.Services["web"];
        web.Scale.ShouldBe(3);
        web.Restart.ShouldBe(new RestartPolicy(RestartCondition.OnFailure, 4));
        web.Healthcheck!.Test.ShouldBe(["curl", "localhost"]);
        web.Options.Weights.ShouldBe([3, 1]);
        web.Options.DrainTimeout.ShouldBe(TimeSpan.FromSeconds(2));
        loaded.PublishedPort(web, web.Ports[0]).ShouldBe(40_000);
        loaded.BaseEnvironment["PATH"].ShouldBe("/bin");
        _store.Names.ShouldBe(["shop"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("null garbage")]
    public void Reports_a_file_that_cannot_be_read_and_leaves_it(string content)
    {
        _store.Save(Entry());
        string path = Path.Combine(_store.FolderOf("shop"), "project.json");
        File.WriteAllText(path, content);
        _store.Load("shop", _log.Add).ShouldBeNull();
        _log.ShouldHaveSingleItem().ShouldContain(path);
        File.ReadAllText(path).ShouldBe(content);
    }

    [Fact]
    public void Keeps_the_old_state_when_the_new_one_cannot_be_written()
    {
        _store.Save(Entry());
        // A folder in the place of the temporary file makes the write fail at its beginning.
        Directory.CreateDirectory(Path.Combine(_store.FolderOf("shop"), "project.json.next"));
        Should.Throw<UnauthorizedAccessException>(
            () => _store.Save(
                Entry() with { AssignedPorts = ImmutableSortedDictionary<string, int>.Empty }));
        _store.Load("shop", _log.Add)!.AssignedPorts.ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("-a")]
    public void Refuses_names_that_lead_out_of_its_folder(string name) =>
        Should.Throw<UserErrorException>(() => _store.Delete(name));

    [Fact]
    public void Deletes_everything_of_a_project()
    {
        _store.Save(Entry());
        _store.Delete("shop");
        Directory.Exists(_store.FolderOf("shop")).ShouldBeFalse();
        _store.Names.ShouldBeEmpty();
    }
}
