using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.Daemon;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Daemon;

/// <summary>What the daemon that hands over is told as long as it lingers.</summary>
public sealed class PredecessorTests : IDisposable
{
    private readonly TesseraHome _home =
        new(Directory.CreateTempSubdirectory("tess-").FullName);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static EndpointConfig Endpoint { get; } = new()
    {
        Id = "a",
        Address = IPEndPoint.Parse("127.0.0.1:8080"),
        Weight = 7,
        State = EndpointState.Draining,
        Place = "web-1",
        IsBackup = true,
        MaxConnections = 3,
        MaxFails = 4,
        FailTimeoutMs = 5_000,
        SlowStartMs = 6_000,
    };

    public void Dispose() => Directory.Delete(_home.Path, recursive: true);

    [Fact]
    public async Task Is_told_all_of_an_endpoint_and_that_a_backend_is_gone()
    {
        (Predecessor predecessor, HandoverChannel there) = await ConnectAsync();
        using (there)
        await using (predecessor)
        {
            predecessor.Tell(ConfigOf(new BackendConfig { Name = "gone before it was told" }));
            predecessor.Tell(ConfigOf(new BackendConfig { Name = "web", Endpoints = [Endpoint] }));
            predecessor.BeginTelling(_ => { });
            HandoverMessage web = await ReceiveAsync(there);
            web.Backend.ShouldBe("web");
            web.Endpoints!.Value.ShouldHaveSingleItem().ToConfig().ShouldBe(Endpoint);
            web.Reason.ShouldBeEmpty();
            (await ReceiveAsync(there)).Backend.ShouldBe("gone before it was told");
            predecessor.Tell(ConfigOf());
            HandoverMessage gone = await ReceiveAsync(there);
            gone.Backend.ShouldBe("web");
            gone.Endpoints!.Value.ShouldBeEmpty();
            gone.Reason.ShouldNotBeEmpty();
            predecessor.Tell(ConfigOf(new BackendConfig { Name = "web", Endpoints = [Endpoint] }));
            (await ReceiveAsync(there)).Endpoints!.Value.Length.ShouldBe(1);
        }
    }

    [Fact]
    public async Task One_backend_too_large_for_a_message_does_not_end_the_news()
    {
        (Predecessor predecessor, HandoverChannel there) = await ConnectAsync();
        var log = new List<string>();
        using (there)
        await using (predecessor)
        {
            predecessor.Tell(ConfigOf(
                new BackendConfig
                {
                    Name = "huge",
                    Endpoints = [.. Enumerable.Repeat(Endpoint, 5_000)],
                },
                new BackendConfig { Name = "web", Endpoints = [Endpoint] }));
            predecessor.BeginTelling(log.Add);
            (await ReceiveAsync(there)).Backend.ShouldBe("web");
            log.ShouldHaveSingleItem().ShouldContain("huge");
        }
    }

    private static ProxyConfig ConfigOf(params ImmutableArray<BackendConfig> backends) =>
        ProxyConfig.Empty with { Backends = backends };

    private static async Task<HandoverMessage> ReceiveAsync(HandoverChannel channel) =>
        (await channel.ReceiveAsync(TimeSpan.FromSeconds(5), Token))!.Value.Message;

    private async Task<(Predecessor Here, HandoverChannel There)> ConnectAsync()
    {
        using Socket listener = HandoverChannel.CreateSocket();
        listener.Bind(new UnixDomainSocketEndPoint(_home.HandoverSocket));
        listener.Listen();
        Predecessor predecessor = (await Predecessor.FindAsync(_home, Token))!;
        return (predecessor, new HandoverChannel(await listener.AcceptAsync(Token)));
    }
}
