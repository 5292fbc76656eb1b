using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Shouldly;
using Tessera.Api;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;
using Xunit;

namespace Tessera.Tests.Api;

/// <summary>Both ends of the control API over a real socket.</summary>
public sealed class ControlApiTests : IAsyncLifetime
{
    private static readonly Progress Starting = new(ProgressKind.Started, "a-web-1", "starting");
    private static readonly Progress Done = new(ProgressKind.Done, "a-web-1", "started");

    private static readonly UpRequest Up = new(
        """{"name":"a","services":{"web":{"command":["é\n"]}}}""",
        ImmutableSortedDictionary<string, string>.Empty.Add("PATH", "/bin").Add("Ä", ""),
        ["web", "db"],
        ImmutableSortedDictionary<string, int>.Empty.Add("web", 3),
        Wait: true,
        DryRun: true,
        RemoveOrphans: true,
        ForceRecreate: true,
        NoRecreate: true,
        NoDeps: true,
        WaitTimeout: TimeSpan.FromSeconds(1.5),
        Timeout: TimeSpan.FromSeconds(2));

    private readonly TemporaryHome _folder = new();
    private readonly FakeController _fake = new();
    private readonly List<Exception> _faults = [];
    private ControlServer _server = null!;
    private RemoteController _client = null!;

    private TesseraHome Home => _folder.Home;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await ControlServer.StartAsync(Home, _fake, _faults.Add, Token);
        _client = new RemoteController(Home);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Carries_every_member_of_an_up_request()
    {
        _fake.ProgressWriter.Complete();
        (await ToListAsync(_client.UpAsync(Up, Token))).ShouldBeEmpty();
        ToText(_fake.Requests.ShouldHaveSingleItem()).ShouldBe(ToText(Up));
    }

    [Fact]
    public async Task Carries_the_other_requests()
    {
        var down = new DownRequest("a", ["web"], TimeSpan.FromMinutes(1), DryRun: true);
        var change = new ChangeRequest(
            ChangeKind.Kill, "a", ["web"], ImmutableSortedDictionary<string, int>.Empty.Add("x", 0),
            "SIGHUP", TimeSpan.FromSeconds(3), NoDeps: true, DryRun: true);
        var query = new LogQuery(
            "a", ["web"], true, 5, DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue);
        _fake.ProgressWriter.Complete();
        _fake.LogWriter.Complete();
        _fake.EventWriter.Complete();
        await ToListAsync(_client.DownAsync(down, Token));
        await ToListAsync(_client.ChangeAsync(change, Token));
        await ToListAsync(_client.LogsAsync(query, Token));
        await ToListAsync(_client.EventsAsync("a&b=c", Token));
        await ToListAsync(_client.EventsAsync(null, Token));
        await ToListAsync(_client.StopDaemonAsync(true, Token));
        await ToListAsync(_client.StopDaemonAsync(false, Token));
        object[] expected = [down, change, query, "events a&b=c", "events ", true, false];
        _fake.Requests.Select(ToText).ShouldBe(expected.Select(ToText));
    }

    [Fact]
    public async Task Carries_answers()
    {
        var view = new InstanceView(
            "id1", "a-web-1", "a", "web", "python x", "running", "healthy", "Up 1 second", "out",
            "why", 7, null, 2, "", "127.0.0.1:4000", DateTimeOffset.UnixEpoch,
            [new PublisherView("0.0.0.0", 80, 8080, "tcp")]);
        _fake.Instances = [view, view with { Pid = null, ExitCode = 3, Publishers = [] }];
        ToText(await _client.ListAsync("a", Token)).ShouldBe(ToText(_fake.Instances));
        ToText(await _client.GetDaemonAsync(Token)).ShouldBe(ToText(_fake.Daemon));
        (await _client.GetMetricsAsync(Token)).ShouldBe("# a page\n");

        var line = new LogLine(
            new SlotName("a", "web", 1),
            DateTimeOffset.UnixEpoch,
            "tab\t \"é\" \0 \ud83d\ude00");
        _fake.LogWriter.TryWrite(line);
        _fake.LogWriter.Complete();
        LogQuery query = new("a", []);
        (await ToListAsync(_client.LogsAsync(query, Token))).ShouldBe([line]);

        var change = new InstanceEvent(
            DateTimeOffset.UnixEpoch, "die", "id1", line.Slot,
            ImmutableSortedDictionary<string, string>.Empty.Add("exitCode", "3"));
        _fake.EventWriter.TryWrite(change);
        _fake.EventWriter.Complete();
        ToText((await ToListAsync(_client.EventsAsync("a", Token))).ShouldHaveSingleItem())
            .ShouldBe(ToText(change));
    }

    [Fact]
    public async Task Sends_each_item_when_it_happens()
    {
        await using IAsyncEnumerator<Progress> reader =
            _client.UpAsync(Up, Token).GetAsyncEnumerator(Token);
        _fake.ProgressWriter.TryWrite(Starting);
        (await reader.MoveNextAsync()).ShouldBeTrue();
        reader.Current.ShouldBe(Starting);
        ValueTask<bool> next = reader.MoveNextAsync();
        next.IsCompleted.ShouldBeFalse();
        _fake.ProgressWriter.TryWrite(Done);
        (await next).ShouldBeTrue();
        reader.Current.ShouldBe(Done);
        _fake.ProgressWriter.Complete();
        (await reader.MoveNextAsync()).ShouldBeFalse();
    }

    [Fact]
    public async Task Carries_many_lines_in_order()
    {
        const int count = 20_000;
        for (int i = 0; i < count; i++)
        {
            _fake.LogWriter.TryWrite(new LogLine(
                new SlotName("a", "web", i), DateTimeOffset.UnixEpoch, new string('x', i % 300)));
        }

        _fake.LogWriter.Complete();
        List<LogLine> lines = await ToListAsync(_client.LogsAsync(new LogQuery("a", []), Token));
        lines.Select(line => line.Slot.Number).ShouldBe(Enumerable.Range(0, count));
        lines[299].Text.Length.ShouldBe(299);
    }

    [Fact]
    public async Task A_mistake_ends_a_stream_with_its_message_and_exit_code()
    {
        _fake.ProgressWriter.TryWrite(Starting);
        _fake.ProgressWriter.Complete(new UserErrorException("a-web-1 failed", 7));
        var seen = new List<Progress>();
        UserErrorException mistake = await Should.ThrowAsync<UserErrorException>(async () =>
        {
            await foreach (Progress step in _client.UpAsync(Up, Token))
            {
                seen.Add(step);
            }
        });
        mistake.Message.ShouldBe("a-web-1 failed");
        mistake.ExitCode.ShouldBe(7);
        seen.ShouldBe([Starting]);
        _faults.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_fault_of_the_daemon_is_told_to_it_and_named_to_the_client()
    {
        _fake.ProgressWriter.Complete(new InvalidOperationException("broken"));
        UserErrorException mistake = await Should.ThrowAsync<UserErrorException>(
            () => ToListAsync(_client.UpAsync(Up, Token)));
        mistake.Message.ShouldContain("broken");
        mistake.ExitCode.ShouldBe(1);
        _faults.ShouldHaveSingleItem().ShouldBeOfType<InvalidOperationException>();
    }

    [Fact]
    public async Task A_mistake_before_an_answer_keeps_its_exit_code()
    {
        _fake.ListFault = new UserErrorException("no such project", 2);
        UserErrorException mistake = await Should.ThrowAsync<UserErrorException>(
            () => _client.ListAsync("a", Token));
        mistake.Message.ShouldBe("no such project");
        mistake.ExitCode.ShouldBe(2);
    }

    [Fact]
    public async Task Hanging_up_cancels_a_call_that_reads()
    {
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await using IAsyncEnumerator<LogLine> reader =
            _client.LogsAsync(new LogQuery("a", [], Follow: true), cancellation.Token)
                .GetAsyncEnumerator(Token);
        _fake.LogWriter.TryWrite(
            new LogLine(new SlotName("a", "b", 1), DateTimeOffset.UnixEpoch, ""));
        (await reader.MoveNextAsync()).ShouldBeTrue();
        ValueTask<bool> next = reader.MoveNextAsync();
        await cancellation.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(async () => await next);
        await _fake.Cancelled.Task.WaitAsync(TimeSpan.FromSeconds(5), Token);
    }

    [Fact]
    public async Task A_change_goes_on_without_its_client()
    {
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await using (IAsyncEnumerator<Progress> reader =
            _client.UpAsync(Up, cancellation.Token).GetAsyncEnumerator(Token))
        {
            _fake.ProgressWriter.TryWrite(Starting);
            (await reader.MoveNextAsync()).ShouldBeTrue();
        }

        await _fake.Cancelled.Task.WaitAsync(TimeSpan.FromSeconds(5), Token);
        _fake.ProgressWriter.TryWrite(Done);
        _fake.ProgressWriter.Complete();
        await _fake.ReadToEnd.Task.WaitAsync(TimeSpan.FromSeconds(5), Token);
        _faults.ShouldBeEmpty();
    }

    [Fact]
    public async Task Stopping_ends_readers_and_lets_changes_finish()
    {
        await using IAsyncEnumerator<InstanceEvent> reader =
            _client.EventsAsync("a", Token).GetAsyncEnumerator(Token);
        Task<bool> next = reader.MoveNextAsync().AsTask();
        await using IAsyncEnumerator<Progress> change =
            _client.UpAsync(Up, Token).GetAsyncEnumerator(Token);
        _fake.ProgressWriter.TryWrite(Starting);
        (await change.MoveNextAsync()).ShouldBeTrue();
        await WaitUntilAsync(() => _fake.Requests.Count == 2);

        Task stop = _server.StopAsync(TimeSpan.FromSeconds(10));
        (await next.WaitAsync(TimeSpan.FromSeconds(5), Token)).ShouldBeFalse();
        _fake.ProgressWriter.TryWrite(Done);
        _fake.ProgressWriter.Complete();
        (await change.MoveNextAsync()).ShouldBeTrue();
        (await change.MoveNextAsync()).ShouldBeFalse();
        await stop.WaitAsync(TimeSpan.FromSeconds(5), Token);
        File.Exists(Home.ControlSocket).ShouldBeFalse();
        await Should.ThrowAsync<DaemonUnreachableException>(() => _client.PingAsync(Token));
    }

    [Fact]
    public void The_socket_is_for_its_owner_alone() =>
        File.GetUnixFileMode(Home.ControlSocket)
            .ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);

    [Fact]
    public async Task A_new_home_is_for_its_owner_alone()
    {
        var home = new TesseraHome(Path.Combine(Home.Path, "new"));
        await using ControlServer server =
            await ControlServer.StartAsync(home, _fake, _faults.Add, Token);
        File.GetUnixFileMode(home.Path).ShouldBe(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [Fact]
    public async Task A_stale_socket_is_replaced()
    {
        using var folder = new TemporaryHome();
        using (Socket stale = NewSocket())
        {
            stale.Bind(new UnixDomainSocketEndPoint(folder.Home.ControlSocket + ".x"));
            File.Move(folder.Home.ControlSocket + ".x", folder.Home.ControlSocket);
        }

        using var client = new RemoteController(folder.Home);
        await Should.ThrowAsync<DaemonUnreachableException>(() => client.PingAsync(Token));
        await using ControlServer server =
            await ControlServer.StartAsync(folder.Home, _fake, _faults.Add, Token);
        await client.PingAsync(Token);
    }

    [Fact]
    public async Task A_path_too_long_for_a_socket_is_a_mistake_that_names_the_way_out()
    {
        var home = new TesseraHome(Path.Combine(Home.Path, new string('x', 100)));
        (await Should.ThrowAsync<UserErrorException>(
                () => ControlServer.StartAsync(home, _fake, _faults.Add, Token)))
            .Message.ShouldContain("TESSERA_HOME");
        using var client = new RemoteController(home);
        (await Should.ThrowAsync<UserErrorException>(() => client.PingAsync(Token)))
            .Message.ShouldContain("TESSERA_HOME");
    }

    [Theory]
    [InlineData("GET", "/instances", "", 400, "tessera daemon stop --keep-instances")]
    [InlineData("GET", "/instances", "Tessera-Api: 0\r\n", 400, "--keep-instances")]
    [InlineData("GET", "/instances", "Tessera-Api: 1\r\n", 200, "[]")]
    [InlineData("GET", "/daemon", "Tessera-Api: 0\r\n", 200, "\"version\"")]
    [InlineData("POST", "/daemon/stop", "Tessera-Api: 0\r\nContent-Length: 0\r\n", 200, "")]
    [InlineData("GET", "/nothing", "Tessera-Api: 1\r\n", 404, "")]
    [InlineData("GET", "/up", "Tessera-Api: 1\r\n", 404, "")]
    public async Task Answers_each_version_as_it_must(
        string method, string path, string headers, int status, string expected)
    {
        _fake.ProgressWriter.Complete();
        string answer = await RawAsync(
            $"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        answer.ShouldStartWith($"HTTP/1.1 {status} ");
        answer.ShouldContain("Tessera-Api: 1\r\n");
        answer.ShouldContain(expected);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("""{"project":"a"}""")]
    [InlineData("""{"project":null,"services":[]}""")]
    public async Task A_body_that_lacks_something_is_refused(string body)
    {
        string answer = await RawAsync(
            "POST /down HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTessera-Api: 1\r\n"
            + $"Content-Length: {body.Length}\r\n\r\n{body}");
        answer.ShouldStartWith("HTTP/1.1 400 ");
        answer.ShouldContain("\"exitCode\":2");
        _fake.Requests.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_project_beyond_the_limit_is_refused()
    {
        UpRequest request = Up with
        {
            CanonicalProject = new string('x', ControlProtocol.MaxRequestBytes),
        };
        UserErrorException mistake = await Should.ThrowAsync<UserErrorException>(
            () => ToListAsync(_client.UpAsync(request, Token)));
        mistake.Message.ShouldBe(ControlProtocol.RequestTooLarge);
        string answer = await RawAsync(
            "POST /up HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTessera-Api: 1\r\n"
            + $"Content-Length: {ControlProtocol.MaxRequestBytes + 1}\r\n\r\n");
        answer.ShouldContain(ControlProtocol.RequestTooLarge);
    }

    [Fact]
    public async Task Connections_beyond_the_limit_are_closed()
    {
        var sockets = new List<Socket>();
        try
        {
            for (int i = 0; i < ControlProtocol.MaxConnections + 1; i++)
            {
                Socket socket = NewSocket();
                sockets.Add(socket);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Home.ControlSocket), Token);
            }

            Task<int> last = sockets[^1].ReceiveAsync(new byte[1], Token).AsTask();
            (await last.WaitAsync(TimeSpan.FromSeconds(30), Token)).ShouldBe(0);
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    private static Socket NewSocket() =>
        new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    /// <summary>Every member, by another serializer than the one that is tested.</summary>
    private static string ToText(object value) => JsonSerializer.Serialize(value, value.GetType());

    private async Task<string> RawAsync(string request)
    {
        using Socket socket = NewSocket();
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Home.ControlSocket), Token);
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(Encoding.UTF8.GetBytes(request), Token);
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync(Token);
    }

    private static async Task<List<T>> ToListAsync<T>(IAsyncEnumerable<T> items)
    {
        var list = new List<T>();
        await foreach (T item in items)
        {
            list.Add(item);
        }

        return list;
    }

    private static async Task WaitUntilAsync(Func<bool> condition)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TimeSpan.FromSeconds(5));
        while (!condition())
        {
            await Task.Delay(5, limit.Token);
        }
    }
}
