using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Shouldly;
using Xunit;

namespace Tessera.EndToEnd.Harness;

/// <summary>A load client that overlooks failures would make every promise empty.</summary>
public sealed class HarnessTests
{
    private const string Good = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nInstance: a\n";

    [Theory]
    [InlineData("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno", "status 502: no")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nInst", "body cut short")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "chunked body")]
    [InlineData("HTTP/1.1 200", "within the head")]
    [InlineData("", "closed before an answer")]
    [InlineData("reset", "ConnectionReset")]
    [InlineData("not HTTP at all\r\n\r\n", "not an HTTP response")]
    public async Task A_bad_answer_is_a_failure_with_its_reason(string answer, string reason)
    {
        await using var server = new CannedServer([Good, Good, answer]);
        await using LoadClient load =
            LoadClient.Start(server.Port, new LoadOptions(Connections: 1, PauseMs: 1));
        await load.UntilMoreAnswersAsync(3);

        LoadReport report = await load.StopAsync();

        report.Samples.Take(2).ShouldAllBe(sample => sample.Failure == "");
        report.Samples[2].Failure.ShouldContain(reason);
        report.Samples[3].Failure.ShouldBe("");
        report.ByInstance["a"].ShouldBeGreaterThanOrEqualTo(3);
    }

    [Fact]
    public async Task A_closed_port_is_a_failure()
    {
        await using LoadClient load = LoadClient.Start(
            FreePorts.Next(), new LoadOptions(Connections: 2, PauseMs: 1));
        await Task.Delay(150);

        LoadReport report = await load.StopAsync();

        report.Failures.ShouldBe(report.Requests);
        report.Samples[0].Failure.ShouldContain("ConnectionRefused");
        Should.Throw<ShouldAssertException>(() => report.ShouldHaveNoFailure(atLeast: 1));
    }

    [Fact]
    public void Malformed_requests_are_the_same_for_the_same_seed()
    {
        string[] first = [.. MalformedRequests.Generate(seed: 7, count: 1_000)];

        MalformedRequests.Generate(seed: 7, count: 1_000).ShouldBe(first);
        first.Distinct().Count().ShouldBeGreaterThan(200);
    }

    [Fact]
    public async Task Leftover_processes_are_found_and_ended()
    {
        var host = new TesseraHost();
        int pid;
        using (Process sleep = Process.Start(
            new ProcessStartInfo("sleep", "100") { WorkingDirectory = host.Root })!)
        {
            pid = sleep.Id;
            Exception problem = await Should.ThrowAsync<InvalidOperationException>(
                async () => await host.DisposeAsync());
            problem.Message.ShouldContain($"process {pid} sleep 100");
            await sleep.WaitForExitAsync();
        }

        Directory.Exists(host.Root).ShouldBeFalse();
    }

    /// <summary>Answers requests with the texts given, one by one; when they end, well.</summary>
    private sealed class CannedServer : IAsyncDisposable
    {
        private readonly Socket _listener = new(SocketType.Stream, ProtocolType.Tcp);
        private readonly Queue<string> _answers;
        private readonly Task _serving;

        public CannedServer(IEnumerable<string> answers)
        {
            _answers = new Queue<string>(answers);
            _listener.Bind(new IPEndPoint(IPAddress.Loopback, FreePorts.Next()));
            _listener.Listen();
            _serving = ServeAsync();
        }

        public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            await _serving;
        }

        private async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    using Socket client = await _listener.AcceptAsync();
                    await AnswerAsync(client);
                }
            }
            catch (SocketException)
            {
                // The listener was closed: that is the end of the test.
            }
            catch (ObjectDisposedException)
            {
                // The same, when it was closed between two accepts.
            }
        }

        private async Task AnswerAsync(Socket client)
        {
            var buffer = new byte[4_096];
            while (await client.ReceiveAsync(buffer) > 0)
            {
                string answer = _answers.Count > 0 ? _answers.Dequeue() : Good;
                if (answer == "reset")
                {
                    client.LingerState = new LingerOption(true, 0);
                    return;
                }

                await client.SendAsync(Encoding.ASCII.GetBytes(answer));
                if (answer != Good && !answer.EndsWith("no", StringComparison.Ordinal))
                {
                    return;
                }
            }
        }
    }
}
