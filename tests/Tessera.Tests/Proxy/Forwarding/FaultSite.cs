using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Reactor;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>What kind of exchange a test has with <see cref="FaultSite"/>.</summary>
public enum ExchangeKind
{
    Plain,

    /// <summary>The endpoint that is tried first resets every request.</summary>
    Retried,

    /// <summary>The endpoint takes one request at a time.</summary>
    Held,

    /// <summary>The body comes in pieces and is passed on as it comes.</summary>
    Streamed,

    /// <summary>The body comes in pieces and is received before an endpoint is taken.</summary>
    Stored,

    /// <summary>Chunks both ways.</summary>
    Chunked,

    /// <summary>The answer's chunks become bytes for an HTTP/1.0 client.</summary>
    Unchunked,

    /// <summary>A file, sent by the kernel.</summary>
    File,
    Tunnel,
}

/// <summary>
/// A proxy over a poller that makes things go wrong, with something for exchanges of every kind,
/// whose right outcome is known.
/// </summary>
internal sealed class FaultSite : IAsyncDisposable
{
    private const int FileBytes = 200_000;

    private readonly ScriptedServer _echo = ScriptedServer.Start(EchoAsync);
    private readonly ScriptedServer _dying = ScriptedServer.Start(async connection =>
    {
        await connection.ReadHeadAsync();
        connection.Reset();
    });

    private readonly ConcurrentQueue<string> _log = [];
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("tessera-faults-");
    private readonly string _file;
    private readonly ProxyServer _server;
    private readonly IPEndPoint _address = ScriptedServer.UnusedAddress();

    public FaultSite(Faults faults, PollerKind poller)
    {
        _file = string.Concat(Enumerable.Range(0, FileBytes / 5).Select(i => $"{i:D5}"));
        File.WriteAllText(Path.Combine(_root.FullName, "file.txt"), _file);
        _server = new ProxyServer(
            new ProxyOptions { Reactors = 1, ErrorLog = _log.Enqueue },
            buffers => new FaultyPoller(buffers, faults, poller));
        _server.Apply(new ProxyConfig
        {
            Backends =
            [
                Backend("web", _echo),
                Backend("flaky", _dying, _echo),
                Backend("narrow", _echo) with
                {
                    Endpoints =
                    [
                        ProxyFixture.Endpoint("narrow-1", _echo.Address) with
                        {
                            MaxConnections = 1,
                        },
                    ],
                },
            ],
            Listeners =
            [
                new ListenerConfig
                {
                    Address = _address,
                    Protocol = ListenerProtocol.Http,
                    Routes =
                    [
                        new RouteConfig { Backend = "web" },
                        Route(ExchangeKind.Retried, "flaky") with
                        {
                            Retry = new RetryConfig { BudgetPercent = 1_000 },
                        },
                        Route(ExchangeKind.Held, "narrow"),
                        Route(ExchangeKind.Stored, "web") with
                        {
                            Retry = new RetryConfig { BufferBytes = 10_000 },
                        },
                        new RouteConfig
                        {
                            Path = PathMatch.Below("/file.txt"),
                            Files = new FilesConfig { Root = _root.FullName },
                        },
                    ],
                },
            ],
        }).ShouldBeEmpty();
    }

    /// <summary>
    /// True when the answer was right, false when it was cut off or an error, as faults may have
    /// it; throws when it was wrong.
    /// </summary>
    public async Task<bool> TryExchangeAsync(ExchangeKind kind, Random random)
    {
        try
        {
            using ScriptedConnection client = await ScriptedConnection.ConnectAsync(_address);
            return await TryExchangeAsync(kind, random, client);
        }
        catch (SocketException)
        {
            // The client's own connection was the one that was reset.
            return false;
        }
    }

    /// <summary>As the other, on a connection that goes on to be used.</summary>
    public Task<bool> TryExchangeAsync(
        ExchangeKind kind, Random random, ScriptedConnection client) =>
        kind == ExchangeKind.Tunnel ? TryTunnelAsync(random, client)
        : kind == ExchangeKind.File ? TryGetFileAsync(client)
        : TryEchoAsync(kind, random, client);

    public Task<ScriptedConnection> ConnectAsync() => ScriptedConnection.ConnectAsync(_address);

    /// <summary>Nothing hangs, is counted twice or never, or broke inside.</summary>
    public async Task SettlesAsync()
    {
        try
        {
            await Eventually.BecomesTrueAsync(() => _server.ConnectionCount == 0);
            await Eventually.BecomesTrueAsync(() => _server.GetStatus().All(
                b => b.Held == 0 && b.Endpoints.All(e => e.InFlight == 0)));
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"{exception.Message}: {Describe()}", exception);
        }

        _log.ShouldNotContain(l => l.Contains("a fault in the proxy"));
    }

    /// <summary>What is still there, and of which kind, as far as that tells.</summary>
    private string Describe()
    {
        string inFlight = string.Join(", ", _server.GetStatus().SelectMany(b => b.Endpoints)
            .Where(e => e.InFlight > 0).Select(e => $"{e.Endpoint}: {e.InFlight}"));
        int held = _server.GetStatus().Sum(b => b.Held);
        return $"{_server.ConnectionCount} connections, {held} held, in flight {inFlight}";
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _echo.Dispose();
        _dying.Dispose();
        _root.Delete(recursive: true);
    }

    private static BackendConfig Backend(string name, params ScriptedServer[] servers) => new()
    {
        Name = name,
        Endpoints =
        [
            .. servers.Select((s, i) =>
                ProxyFixture.Endpoint($"{name}-{i + 1}", s.Address) with { MaxFails = 0 }),
        ],
    };

    private static RouteConfig Route(ExchangeKind kind, string backend) =>
        new() { Path = PathMatch.Below($"/{kind}"), Backend = backend };

    /// <summary>Answers with the body as it came, chunks included, or with all.</summary>
    private static async Task EchoAsync(ScriptedConnection connection)
    {
        while (await connection.ReadHeadAsync() is { Length: > 0 } head)
        {
            if (head.Contains("Upgrade: echo", StringComparison.Ordinal))
            {
                await connection.SendAsync("HTTP/1.1 101 Switching Protocols\r\n"
                    + "Connection: upgrade\r\nUpgrade: echo\r\n\r\n");
                while (await connection.ReadAsync(4) is { Length: 4 } word)
                {
                    await connection.SendAsync(word);
                }

                return;
            }

            string body = await connection.ReadBodyAsync(head);
            if (head.Contains($"/{ExchangeKind.Unchunked} ", StringComparison.Ordinal))
            {
                body = $"{body.Length:x}\r\n{body}\r\n0\r\n\r\n";
                await connection.SendAsync(
                    $"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
                continue;
            }

            string framing = head.Contains("chunked", StringComparison.Ordinal)
                ? "Transfer-Encoding: chunked"
                : $"Content-Length: {body.Length}";
            await connection.SendAsync($"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{body}");
        }
    }

    private static async Task<bool> TryEchoAsync(
        ExchangeKind kind, Random random, ScriptedConnection client)
    {
        string body = string.Concat(Enumerable.Range(0, random.Next(1, 700)));
        string framing = $"Content-Length: {body.Length}";
        if (kind == ExchangeKind.Chunked)
        {
            body = $"{body.Length:x}\r\n{body}\r\n0\r\n\r\n";
            framing = "Transfer-Encoding: chunked";
        }

        int version = kind == ExchangeKind.Unchunked ? 0 : 1;
        string head = $"PUT /{kind} HTTP/1.{version}\r\nHost: test\r\n{framing}\r\n\r\n";
        if (kind is ExchangeKind.Streamed or ExchangeKind.Stored)
        {
            await client.SendAsync(head);
            foreach (char[] piece in body.Chunk(500))
            {
                await Task.Yield();
                await client.SendAsync(new string(piece));
            }
        }
        else
        {
            await client.SendAsync(head + body);
        }

        if (kind == ExchangeKind.Unchunked)
        {
            return IsRight(await client.ReadToEndAsync(), body);
        }

        (string answerHead, string answerBody) = await client.ReadResponseAsync();
        return IsRight(answerHead + answerBody, body);
    }

    private async Task<bool> TryGetFileAsync(ScriptedConnection client)
    {
        await client.SendAsync("GET /file.txt HTTP/1.1\r\nHost: test\r\n\r\n");
        (string head, string body) = await client.ReadResponseAsync();
        return IsRight(head + body, _file);
    }

    private static async Task<bool> TryTunnelAsync(Random random, ScriptedConnection client)
    {
        await client.SendAsync("GET /tunnel HTTP/1.1\r\nHost: test\r\n"
            + "Connection: upgrade\r\nUpgrade: echo\r\n\r\n");
        string head = await client.ReadHeadAsync();
        if (!head.StartsWith("HTTP/1.1 101 ", StringComparison.Ordinal))
        {
            return false;
        }

        for (int i = 0; i < 5; i++)
        {
            string words = string.Concat(
                Enumerable.Range(0, random.Next(1, 200)).Select(n => $"{n:D4}"));
            await client.SendAsync(words);
            string echo = await client.ReadAsync(words.Length);
            words.ShouldStartWith(echo);
            if (echo.Length < words.Length)
            {
                return false;
            }
        }

        client.EndSending();
        return (await client.ReadToEndAsync()).Length == 0;
    }

    /// <summary>
    /// Whatever is there of a 200's body must be its begin; what is no 200, or not whole, was cut
    /// off or is an error.
    /// </summary>
    private static bool IsRight(string answer, string body)
    {
        int end = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
        if (!answer.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal) || end < 4)
        {
            return false;
        }

        string got = answer[end..];
        body.ShouldStartWith(got);
        return got.Length == body.Length;
    }
}
