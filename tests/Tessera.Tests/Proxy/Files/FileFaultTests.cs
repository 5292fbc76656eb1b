using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Tessera.Tests.Proxy.Reactor;
using Xunit;

namespace Tessera.Tests.Proxy.Files;

/// <summary>Files over a poller that makes everything go wrong that a network can.</summary>
public sealed class FileFaultTests
{
    private static readonly string[] Codings = ["identity", "gzip", "br"];

    private static readonly (string Name, byte[] Content)[] All =
    [
        ("small.txt", Encoding.ASCII.GetBytes(new string('s', 900))),
        ("middle.txt", [.. FileServingTests.RandomBytes(30_000).Select(b => (byte)(b % 16))]),
        ("large.txt", [.. FileServingTests.RandomBytes(1_500_000).Select(b => (byte)(b % 16))]),
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Everything_arrives_right_in_pieces_and_with_delays(int seed)
    {
        await using FileFixture site = Serve(
            new Faults(seed) { ShortReads = 700, ShortWrites = 300, Delays = 300 });
        await Task.WhenAll(Enumerable.Range(0, 6).Select(c => Task.Run(async () =>
        {
            var random = new Random((seed * 100) + c);
            using ScriptedConnection client = await site.Proxy.ConnectAsync();
            for (int i = 0; i < 15; i++)
            {
                (string request, Func<Answer, bool> isRight) = MakeRequest(random);
                await client.SendAsync(request);
                (string head, string body) = await client.ReadResponseAsync();
                isRight(Answer.Parse(head + body)).ShouldBeTrue($"seed {seed}: {request}");
            }
        })));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Nothing_wrong_arrives_and_nothing_hangs_after_resets(int seed)
    {
        await using FileFixture site = Serve(
            new Faults(seed) { ShortReads = 300, ShortWrites = 100, Delays = 200, Resets = 60 });
        int right = 0;
        await Task.WhenAll(Enumerable.Range(0, 6).Select(c => Task.Run(async () =>
        {
            var random = new Random((seed * 100) + c);
            for (int i = 0; i < 20; i++)
            {
                (string request, Func<Answer, bool> isRight) = MakeRequest(random);
                if (await TryAskAsync(site.Proxy, request) is { } answer)
                {
                    isRight(answer).ShouldBeTrue($"seed {seed}: {request}");
                    Interlocked.Increment(ref right);
                }
            }
        })));
        right.ShouldBeGreaterThan(10, $"seed {seed}");
        await Eventually.BecomesTrueAsync(() => site.Proxy.Server.ConnectionCount == 0);
    }

    private static FileFixture Serve(Faults faults)
    {
        var site = new FileFixture(options =>
            new ProxyServer(options, buffers => new FaultyPoller(buffers, faults)));
        foreach ((string name, byte[] content) in All)
        {
            site.With(name, content);
        }

        return site.Serving(route: r => r with { Compression = new CompressionConfig() });
    }

    /// <summary>Null when the answer was cut off, as it must show.</summary>
    private static async Task<Answer?> TryAskAsync(ProxyFixture proxy, string request)
    {
        try
        {
            using ScriptedConnection client = await proxy.ConnectAsync();
            await client.SendAsync(request);
            (string head, string body) = await client.ReadResponseAsync();
            bool isWhole = head.Contains("chunked", StringComparison.Ordinal)
                ? body.EndsWith("0\r\n\r\n", StringComparison.Ordinal)
                : head.Contains($"\r\nContent-Length: {body.Length}\r\n", StringComparison.Ordinal);
            return isWhole ? Answer.Parse(head + body) : null;
        }
        catch (System.Net.Sockets.SocketException)
        {
            return null;
        }
    }

    private static (string Request, Func<Answer, bool> IsRight) MakeRequest(Random random)
    {
        (string name, byte[] content) = All[random.Next(All.Length)];
        string text = Encoding.Latin1.GetString(content);
        string head = $"GET /{name} HTTP/1.1\r\nHost: t\r\n";
        if (random.Next(2) == 0)
        {
            string coding = Codings[random.Next(Codings.Length)];
            return ($"{head}Accept-Encoding: {coding}\r\n\r\n", a => a.Decoded() == text);
        }

        int first = random.Next(content.Length);
        int last = random.Next(first, content.Length);
        return ($"{head}Range: bytes={first}-{last}\r\n\r\n",
            a => a.Status == 206 && a.Body == text[first..(last + 1)]);
    }
}
