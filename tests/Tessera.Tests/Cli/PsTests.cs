using System.Text.Json;
using Shouldly;
using Tessera.Cli;
using Xunit;

namespace Tessera.Tests.Cli;

public sealed class PsTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private static readonly InstanceView Web = new(
        "id1", "shop-web-1", "shop", "web", "python3 -m http.server 4000", InstanceStates.Running,
        "healthy", "Up 5 minutes (healthy)", "active", "", 4_242, null, 1, "", "127.0.0.1:4000",
        Now.AddMinutes(-5),
        [
            new PublisherView("0.0.0.0", 80, 8_080, "tcp"),
            new PublisherView("::1", 443, 8_443, "tcp"),
        ]);

    private static readonly InstanceView Fatal = Web with
    {
        Id = "id2",
        Name = "shop-job-1",
        Service = "job",
        Command = "x",
        State = InstanceStates.Fatal,
        Health = "",
        Status = "Fatal",
        Traffic = "out",
        TrafficReason = "given up",
        Reason = "no such file",
        Pid = null,
        ExitCode = 127,
        Publishers = [],
    };

    private static readonly InstanceView Exited = Fatal with
    {
        Id = "id3",
        Name = "shop-once-1",
        Service = "once",
        State = InstanceStates.Exited,
        Status = "Exited (0) 3 seconds ago",
        Traffic = "",
        TrafficReason = "",
        Reason = "",
        ExitCode = 0,
    };

    private readonly CommandRun _run = new();

    public PsTests() => _run.Daemon.Instances = [Web, Fatal, Exited];

    public void Dispose() => _run.Dispose();

    [Fact]
    public void The_table_has_composes_columns_and_ours()
    {
        var output = new StringWriter { NewLine = "\n" };
        new PsTable(Now, isWhole: false).Write(output, [Web, Fatal]);
        output.ToString().ShouldBe(string.Concat(
            "NAME         COMMAND                  SERVICE   CREATED         STATUS       ",
            "            PORTS                                       TRAFFIC          PID    ",
            "RESTARTS\n",
            "shop-web-1   \"python3 -m http.ser…\"   web       5 minutes ago   Up 5 minutes ",
            "(healthy)   0.0.0.0:8080->80/tcp, [::1]:8443->443/tcp   active           4242   ",
            "1\n",
            "shop-job-1   \"x\"                      job       5 minutes ago   Fatal (no suc",
            "h file)                                                 out (given up)          ",
            "1\n"));
    }

    [Fact]
    public void Nothing_is_shortened_on_request()
    {
        var output = new StringWriter();
        new PsTable(Now, isWhole: true).Write(output, [Web]);
        output.ToString().ShouldContain("\"python3 -m http.server 4000\"");
    }

    [Fact]
    public async Task What_ended_is_hidden_and_what_was_given_up_is_not()
    {
        await _run.RunAsync("-p", "shop", "ps", "-q");
        _run.Output.ShouldBe("id1\nid2\n");
    }

    [Theory]
    [InlineData("id1\nid2\nid3\n", "-a")]
    [InlineData("id3\n", "--status", "exited")]
    [InlineData("id3\n", "--filter", "status=exited")]
    [InlineData("id1\nid3\n", "--status", "exited", "--status", "running")]
    [InlineData("id1\n", "web", "once")]
    [InlineData("", "nobody")]
    public async Task Instances_are_chosen(string expected, params string[] words)
    {
        (await _run.RunAsync(["-p", "shop", "ps", "-q", .. words])).ShouldBe(0);
        _run.Output.ShouldBe(expected);
    }

    [Fact]
    public async Task Services_are_named_once()
    {
        _run.Daemon.Instances = [Web, Web with { Id = "id9" }, Fatal];
        await _run.RunAsync("-p", "shop", "ps", "--services");
        _run.Output.ShouldBe("web\njob\n");
    }

    [Fact]
    public async Task Json_has_one_object_a_line_with_composes_names()
    {
        await _run.RunAsync("-p", "shop", "ps", "-a", "--format", "json");
        string[] lines = _run.Output.TrimEnd('\n').Split('\n');
        lines.Length.ShouldBe(3);
        using JsonDocument web = JsonDocument.Parse(lines[0]);
        JsonElement root = web.RootElement;
        root.GetProperty("ID").GetString().ShouldBe("id1");
        root.GetProperty("Name").GetString().ShouldBe("shop-web-1");
        root.GetProperty("Project").GetString().ShouldBe("shop");
        root.GetProperty("Service").GetString().ShouldBe("web");
        root.GetProperty("Command").GetString().ShouldBe("python3 -m http.server 4000");
        root.GetProperty("State").GetString().ShouldBe("running");
        root.GetProperty("Health").GetString().ShouldBe("healthy");
        root.GetProperty("Status").GetString().ShouldBe("Up 5 minutes (healthy)");
        root.GetProperty("Traffic").GetString().ShouldBe("active");
        root.GetProperty("TrafficReason").GetString().ShouldBe("");
        root.GetProperty("Reason").GetString().ShouldBe("");
        root.GetProperty("PID").GetInt32().ShouldBe(4_242);
        root.GetProperty("Restarts").GetInt32().ShouldBe(1);
        root.GetProperty("ExitCode").GetInt32().ShouldBe(0);
        root.GetProperty("Address").GetString().ShouldBe("127.0.0.1:4000");
        JsonElement publisher = root.GetProperty("Publishers")[0];
        publisher.GetProperty("URL").GetString().ShouldBe("0.0.0.0");
        publisher.GetProperty("TargetPort").GetInt32().ShouldBe(80);
        publisher.GetProperty("PublishedPort").GetInt32().ShouldBe(8_080);
        publisher.GetProperty("Protocol").GetString().ShouldBe("tcp");
        using JsonDocument fatal = JsonDocument.Parse(lines[1]);
        fatal.RootElement.GetProperty("PID").ValueKind.ShouldBe(JsonValueKind.Null);
        fatal.RootElement.GetProperty("Reason").GetString().ShouldBe("no such file");
    }
}
