using System.Net.Sockets;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>Clients that break the rules of HTTP.</summary>
public sealed class MalformedRequestTests
{
    private const int RequestCount = 1_000;

    [Fact]
    public async Task A_thousand_malformed_requests_get_400_or_a_close_and_memory_stays_flat()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http()}}
                ports:
                  - { target: 80, published: {{port}}, app_protocol: http }
            """, "malformed");
        await project.UpAsync();
        int daemon = host.DaemonPid.ShouldNotBeNull();
        int seed = Environment.TickCount;
        TestContext.Current.SendDiagnosticMessage($"seed {seed}");

        await SendAllAsync(port, seed, count: 200);
        long before = Processes.ResidentBytes(daemon);
        List<string> wrong = await SendAllAsync(port, seed, RequestCount);
        long after = Processes.ResidentBytes(daemon);

        wrong.ShouldBeEmpty($"seed {seed}");
        host.DaemonPid.ShouldBe(daemon);
        (after - before).ShouldBeLessThan(8L * 1_024 * 1_024, $"seed {seed}");
        (await RawHttp.GetAsync(port)).Status.ShouldBe(200);
        (await project.PsOneAsync("web")).Restarts.ShouldBe(0);
    }

    [Theory]
    [InlineData("more headers than allowed", 431)]
    [InlineData("a longer head than allowed", 431)]
    [InlineData("a longer target than allowed", 414)]
    [InlineData("an unknown version", 505)]
    [InlineData("an unknown transfer coding", 501)]
    public async Task Requests_beyond_the_limits_are_refused(string what, int expected)
    {
        string request = what switch
        {
            "more headers than allowed" => "GET / HTTP/1.1\r\nHost: a\r\n"
                + string.Concat(Enumerable.Range(0, 2_000).Select(i => $"X{i}: a\r\n")) + "\r\n",
            "a longer head than allowed" =>
                $"GET / HTTP/1.1\r\nHost: a\r\nX: {new string('a', 200_000)}\r\n\r\n",
            "a longer target than allowed" =>
                $"GET /{new string('a', 200_000)} HTTP/1.1\r\nHost: a\r\n\r\n",
            "an unknown version" => "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            _ => "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        };
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                ports:
                  - { target: 80, published: {{port}}, app_protocol: http }
            """, "limits");
        await project.UpAsync();

        string answer = await ExchangeAsync(port, request);

        answer.ShouldBeOneOf($"{expected}", "400", "closed");
        (await RawHttp.GetAsync(port)).Status.ShouldBe(200);
    }

    private static async Task<List<string>> SendAllAsync(int port, int seed, int count)
    {
        List<string> wrong = [];
        foreach (string request in MalformedRequests.Generate(seed, count))
        {
            // Whatever follows on the connection must never be taken for a request of its own.
            string outcome = await ExchangeAsync(
                port, request + "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n");
            if (outcome is not ("400" or "closed"))
            {
                wrong.Add($"{outcome} for {MalformedRequests.Describe(request)}");
            }
        }

        return wrong;
    }

    /// <summary>
    /// The status of the only answer before the close, or what was wrong with that.
    /// </summary>
    private static async Task<string> ExchangeAsync(int port, string request)
    {
        using RawHttp http = await RawHttp.ConnectAsync(port, TimeSpan.FromSeconds(3));
        string answer;
        try
        {
            await http.SendAsync(request);
            http.Socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // Closed while the request was on its way: what was answered can still be read.
        }

        try
        {
            answer = await http.ReadAllAsync();
        }
        catch (TimeoutException)
        {
            return "left open";
        }

        int answers = answer.Split("HTTP/1.1 ").Length - 1;
        return answers switch
        {
            0 => answer.Length == 0 ? "closed" : "not HTTP",
            1 => answer.Substring(9, 3),
            _ => $"{answers} answers, the first {answer.Substring(9, 3)}",
        };
    }
}
