using System.Net.Sockets;
using System.Text;
using Shouldly;
using Tessera.Api;
using Tessera.Stack;
using Xunit;

namespace Tessera.Tests.Api;

/// <summary>The client against daemons that misbehave.</summary>
public sealed class RemoteControllerTests : IDisposable
{
    private const string Head =
        "HTTP/1.1 200 OK\r\nTessera-Api: 1\r\nTransfer-Encoding: chunked\r\n\r\n";

    private const string Line = """{"kind":"Done","subject":"a","text":"b"}""" + "\n";

    private readonly TemporaryHome _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task No_socket_is_an_unreachable_daemon()
    {
        using var client = new RemoteController(_folder.Home);
        (await Should.ThrowAsync<DaemonUnreachableException>(() => client.PingAsync(Token)))
            .Message.ShouldContain(_folder.Home.ControlSocket);
    }

    [Fact]
    public async Task A_daemon_that_hangs_up_without_a_word_is_unreachable() =>
        await Should.ThrowAsync<DaemonUnreachableException>(() => ReadAsync(""));

    [Fact]
    public async Task A_stream_that_is_cut_off_is_never_taken_for_a_success()
    {
        DaemonLostException lost = await Should.ThrowAsync<DaemonLostException>(
            () => ReadAsync($"{Head}{Line.Length:x}\r\n{Line}\r\n"));
        lost.Message.ShouldContain(_folder.Home.DaemonLog);
    }

    [Fact]
    public async Task A_stream_that_ends_within_a_line_is_never_taken_for_a_success() =>
        await Should.ThrowAsync<DaemonLostException>(
            () => ReadAsync($"{Head}3\r\n{{\"k\r\n0\r\n\r\n"));

    [Fact]
    public async Task A_stream_with_its_end_is_a_success() =>
        (await ReadAsync($"{Head}{Line.Length:x}\r\n{Line}\r\n0\r\n\r\n")).ShouldBe(1);

    [Fact]
    public async Task Another_version_of_the_daemon_is_named()
    {
        UserErrorException mistake = await Should.ThrowAsync<UserErrorException>(
            () => ReadAsync("HTTP/1.1 200 OK\r\nTessera-Api: 99\r\nContent-Length: 0\r\n\r\n"));
        mistake.Message.ShouldContain("'99'");
        mistake.Message.ShouldContain("tessera daemon stop --keep-instances");
    }

    [Fact]
    public async Task Another_server_on_the_socket_is_no_daemon() =>
        await Should.ThrowAsync<UserErrorException>(
            () => ReadAsync("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nhello"));

    /// <summary>
    /// Reads the answer of a daemon that says <paramref name="answer"/> and hangs up.
    /// </summary>
    private async Task<int> ReadAsync(string answer)
    {
        using var listener = new Socket(
            AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(_folder.Home.ControlSocket));
        listener.Listen();
        Task serve = ServeAsync(listener, answer);
        using var client = new RemoteController(_folder.Home);
        int count = 0;
        try
        {
            await foreach (Progress step in client.DownAsync(new DownRequest("a", []), Token))
            {
                count++;
            }

            return count;
        }
        finally
        {
            listener.Dispose();
            await serve.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task ServeAsync(Socket listener, string answer)
    {
        while (true)
        {
            using Socket client = await listener.AcceptAsync(Token);
            await client.ReceiveAsync(new byte[4_096], Token);
            await client.SendAsync(Encoding.ASCII.GetBytes(answer), Token);
        }
    }
}
