using System.Diagnostics;
using System.Net;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Tessera.Tests.Proxy.Nginx;
using Xunit;

namespace Tessera.Tests.Proxy.Resolving;

/// <summary>Backends that requests name through variables.</summary>
public sealed class PassTargetsTests
{
    /// <summary>Less than a name without addresses is remembered for.</summary>
    private static readonly TimeSpan Quickly = TimeSpan.FromMilliseconds(400);

    [Fact]
    public async Task A_name_that_is_none_is_not_asked_for_at_once_again()
    {
        await using var names = new NameServer();
        await using ProxyServer server = Serve(names, out IPEndPoint address);
        while (true)
        {
            string name = $"{Guid.NewGuid():N}.test";
            int before = names.Questions;
            var watch = Stopwatch.StartNew();
            (await AskAsync(address, name)).ShouldStartWith("HTTP/1.1 502");
            (await AskAsync(address, name)).ShouldStartWith("HTTP/1.1 502");
            int asked = names.Questions - before;
            if (watch.Elapsed < Quickly)
            {
                asked.ShouldBe(1);
                return;
            }

            // Too slow to tell: once more, on a machine that has other things to do.
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
        }
    }

    [Fact]
    public async Task Many_names_that_are_none_leave_a_good_one_in_its_place()
    {
        using ScriptedServer web = ScriptedServer.Named("web");
        await using var names = new NameServer
        {
            ["good.test"] = new() { Addresses = ["127.0.0.1"], Seconds = 600 },
        };
        await using ProxyServer server = Serve(names, out IPEndPoint address);
        string good = $"good.test:{web.Address.Port}";
        (await AskAsync(address, good)).ShouldStartWith("HTTP/1.1 200");
        for (int i = 0; i < 300; i++)
        {
            (await AskAsync(address, $"bad{i}.test")).ShouldStartWith("HTTP/1.1 502");
        }

        int before = names.Questions;
        (await AskAsync(address, good)).ShouldStartWith("HTTP/1.1 200");
        names.Questions.ShouldBe(before);
    }

    private static async Task<string> AskAsync(IPEndPoint address, string host)
    {
        using ScriptedConnection client = await ScriptedConnection.ConnectAsync(address);
        await client.SendAsync($"GET /?h={host} HTTP/1.0\r\n\r\n");
        return await client.ReadToEndAsync();
    }

    private static ProxyServer Serve(NameServer names, out IPEndPoint address)
    {
        address = ScriptedServer.UnusedAddress();
        ProxyServer server = ProxyFixture.NewServer(new ProxyOptions { Reactors = 1 });
        server.Apply(NginxText.ReadHttp(
            $$"""
            resolver {{names.Address}} ipv6=off;
            server { listen {{address}}; location / { proxy_pass http://$arg_h; } }
            """)).ShouldBeEmpty();
        return server;
    }
}
