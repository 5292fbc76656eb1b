using System.Buffers.Binary;
using System.Net;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;

namespace Tessera.Bench.Load;

/// <summary>
/// A server that answers every request head with a fixed reply and reads as little of it as it can.
/// Runs on its reactor alone once constructed.
/// </summary>
internal sealed class CannedBackend
{
    private const int Backlog = 4_096;

    /// <summary>CR LF CR LF, the end of a request without body.</summary>
    private const uint EndOfHead = 0x0D0A0D0A;

    private readonly Reactor _reactor;
    private readonly IoHandle _listener;

    /// <summary>
    /// One for all connections: what is received is looked at before anything else happens, and a
    /// single buffer stays in the processor's cache.
    /// </summary>
    private readonly byte[] _received = GC.AllocateUninitializedArray<byte>(16_384, pinned: true);

    /// <summary>Listens on a free loopback port.</summary>
    public CannedBackend(Reactor reactor)
    {
        _reactor = reactor;
        var any = new InternetAddress(new IPEndPoint(IPAddress.Loopback, 0));
        int descriptor = Require(SocketCalls.OpenTcp(any), "socket");
        Require(SocketCalls.SetNoDelay(descriptor), "setsockopt");
        Require(SocketCalls.Bind(descriptor, any), "bind");
        Require(SocketCalls.Listen(descriptor, Backlog), "listen");
        Require(SocketCalls.GetLocalAddress(descriptor, out InternetAddress local), "getsockname");
        EndPoint = local.ToIPEndPoint();
        _listener = new IoHandle(reactor, descriptor);
        reactor.Post(() =>
        {
            Require(reactor.Poller.Add(_listener), "epoll_ctl");
            AcceptAsync().Detach(reactor);
        });
    }

    public IPEndPoint EndPoint { get; }

    private static int Require(SyscallResult result, string call) =>
        result.IsSuccess
            ? result.IntValue
            : throw new InvalidOperationException($"{call}: {Errno.Describe(result.Errno)}");

    private async ReactorTask<bool> AcceptAsync()
    {
        while (true)
        {
            SyscallResult accepted =
                await _reactor.Start(_listener.Read, IoKind.Accept, [], 0, 0, timeoutMs: 0);
            if (accepted.IsSuccess)
            {
                Serve(accepted.IntValue);
            }
            else if (accepted.Errno == Errno.Canceled)
            {
                return true;
            }
        }
    }

    private void Serve(int descriptor)
    {
        if (Transport.TryOpen(_reactor, descriptor, out Transport connection).IsSuccess)
        {
            ServeAsync(connection).Detach(_reactor);
        }
    }

    private async ReactorTask<bool> ServeAsync(Transport connection)
    {
        byte[]? reply = null;
        uint tail = 0;
        while (true)
        {
            SyscallResult received = await connection.ReceiveAsync(
                _received, 0, _received.Length, timeoutMs: 0);
            if (!received.IsSuccess || received.Value == 0)
            {
                break;
            }

            int length = received.IntValue;
            reply ??= CannedReplies.For(_received.AsSpan(0, length));
            tail = TailOf(tail, length);
            if (tail != EndOfHead)
            {
                continue;
            }

            SyscallResult sent = await connection.SendAsync(reply, 0, reply.Length, timeoutMs: 0);
            if (!sent.IsSuccess)
            {
                break;
            }

            reply = null;
            tail = 0;
        }

        connection.Close();
        return true;
    }

    /// <summary>The last four bytes of the head so far.</summary>
    private uint TailOf(uint before, int length)
    {
        if (length >= sizeof(uint))
        {
            return BinaryPrimitives.ReadUInt32BigEndian(_received.AsSpan(length - sizeof(uint)));
        }

        for (int i = 0; i < length; i++)
        {
            before = (before << 8) | _received[i];
        }

        return before;
    }
}
