using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.Linux;
using Tessera.Linux.Net;
using Xunit;

namespace Tessera.Tests.Linux.Net;

/// <summary>Where the kernel does not allow io_uring there is nothing to test.</summary>
public sealed class IoUringTests
{
    private const uint AllEvents =
        Epoll.Readable | Epoll.Writable | Epoll.PeerClosed | Epoll.EdgeTriggered;

    private const ulong WatchData = 7;

    /// <summary>What the peer does just before its socket is closed here.</summary>
    [Theory]
    [InlineData("nothing")]
    [InlineData("sends")]
    [InlineData("ends")]
    public async Task A_watched_socket_is_closed_whatever_happened_to_it_meanwhile(string last)
    {
        SyscallResult created = IoUring.TryCreate(16, 32, out IoUring? ring);
        Assert.SkipUnless(created.IsSuccess, Errno.Describe(created.Errno));
        using IoUring open = ring!;
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var peer = new Socket(
            AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await peer.ConnectAsync(
            listener.LocalEndpoint, TestContext.Current.CancellationToken);
        using Socket accepted = await listener.AcceptSocketAsync(
            TestContext.Current.CancellationToken);

        // On one thread from here on: the ring belongs to the first that enters it.
        int descriptor = (int)accepted.SafeHandle.DangerousGetHandle();
        open.TryWatch(descriptor, AllEvents, WatchData).ShouldBeTrue();
        open.Enter(0, 0).IsSuccess.ShouldBeTrue();
        Act(peer, last);
        open.TryUnwatch(WatchData).ShouldBeTrue();
        accepted.Close();
        open.Enter(0, 0).IsSuccess.ShouldBeTrue();

        // With unread bytes it is a reset that the peer gets, else the end.
        peer.Poll(TimeSpan.FromSeconds(5), SelectMode.SelectRead).ShouldBeTrue();
        IsOver(peer).ShouldBeTrue();
    }

    private static bool IsOver(Socket peer)
    {
        try
        {
            return peer.Receive(new byte[1]) == 0;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private static void Act(Socket peer, string last)
    {
        switch (last)
        {
            case "sends":
                peer.Send("x"u8);
                break;
            case "ends":
                peer.Shutdown(SocketShutdown.Send);
                break;
        }
    }
}
