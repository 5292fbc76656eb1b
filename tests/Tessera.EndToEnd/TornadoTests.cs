using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>The Tornado example, on Debian's python3-tornado, as it is.</summary>
public sealed class TornadoTests
{
    [Fact]
    public async Task Tornado_example_serves_from_both_processes()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        string example = Repository.Example("tornado");
        await using ComposeProject project = host.Project(
            File.ReadAllText(Path.Combine(example, "compose.yaml"))
                .Replace("8081:", $"{port}:", StringComparison.Ordinal));
        File.Copy(Path.Combine(example, "main.py"), Path.Combine(project.Folder, "main.py"));

        await project.UpAsync();
        await using (LoadClient load = LoadClient.Start(port, new LoadOptions(Connections: 8)))
        {
            await load.UntilMoreAnswersAsync(400);
            (await project.RunAsync("restart")).ShouldSucceed();
            await load.UntilMoreAnswersAsync(400);
            (await load.StopAsync()).ShouldHaveNoFailure();
        }

        (await RawHttp.GetAsync(port)).Text.ShouldBe("Hello, Tornado");
        IReadOnlyList<InstanceRow> rows = await project.PsAsync();
        rows.Count.ShouldBe(2);
        rows.ShouldAllBe(row => row.IsActive && Processes.IsAlive(row.Pid));
    }
}
