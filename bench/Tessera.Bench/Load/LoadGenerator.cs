using System.Diagnostics;
using System.Net;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Http;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;

namespace Tessera.Bench.Load;

/// <summary>What a load generator counted over a stretch of time.</summary>
/// <param name="Failures">Replies other than 200 and connections that ended unasked.</param>
internal sealed record LoadSample(
    long Requests, long Failures, TimeSpan Elapsed, TimeSpan P50, TimeSpan P99)
{
    public double RequestsPerSecond => Requests / Elapsed.TotalSeconds;
}

/// <summary>
/// Sends the same GET over a number of keep-alive connections, on each the next as soon as the last
/// was answered. The public methods are called from one other thread than the reactor's and wait
/// for it; everything else happens on the reactor.
/// </summary>
internal sealed class LoadGenerator
{
    private const int ConnectTimeoutMs = 5_000;
    private const int MaxHeadBytes = 16 * 1_024;
    private const int MaxHeaders = 32;

    /// <summary>A connection that fails as often in a row gives up.</summary>
    private const int MaxFailuresInARow = 20;

    private static readonly TimeSpan PatienceForReactor = TimeSpan.FromSeconds(90);

    private readonly Reactor _reactor;
    private readonly LatencyHistogram _latencies = new();
    private readonly HashSet<Transport> _connections = [];

    /// <summary>Shared by all connections, see <see cref="CannedBackend"/>.</summary>
    private readonly byte[] _received =
        GC.AllocateUninitializedArray<byte>(256 * 1_024, pinned: true);

    private InternetAddress _target;
    private byte[] _request = [];
    private long _failures;
    private long _startedAt;
    private int _running;
    private bool _isStopping;

    /// <summary>Bytes of a whole reply, once one came; most then need no parsing.</summary>
    private int _replyBytes;

    public LoadGenerator(Reactor reactor) => _reactor = reactor;

    /// <summary>Opens all connections, one after the other, then sends on all of them.</summary>
    public void Start(IPEndPoint target, int connections, byte[] request)
    {
        Aim(target, request);
        var connected = new TaskCompletionSource();
        _reactor.Post(() => StartAsync(connections, connected).Detach(_reactor));
        Wait(connected.Task, "connecting");
    }

    /// <summary>
    /// Opens connections that ask once, one after the other, and are silent from then on.
    /// </summary>
    public void StartIdle(IPEndPoint target, int connections, byte[] request)
    {
        Aim(target, request);
        var connected = new TaskCompletionSource();
        _reactor.Post(() => StartIdleAsync(connections, connected).Detach(_reactor));
        Wait(connected.Task, "connecting");
    }

    /// <summary>What was counted so far does not count.</summary>
    public void BeginMeasuring() => OnReactor(() =>
    {
        _latencies.Clear();
        _failures = 0;
        _startedAt = Stopwatch.GetTimestamp();
        return true;
    });

    public LoadSample EndMeasuring() => OnReactor(() => new LoadSample(
        _latencies.Count,
        _failures,
        Stopwatch.GetElapsedTime(_startedAt),
        TimeSpan.FromMicroseconds(_latencies.Quantile(0.50) / 1_000.0),
        TimeSpan.FromMicroseconds(_latencies.Quantile(0.99) / 1_000.0)));

    /// <summary>Ends all connections, with a reset so that no port stays in TIME_WAIT.</summary>
    public void Stop()
    {
        OnReactor(() =>
        {
            _isStopping = true;
            foreach (Transport connection in _connections.ToArray())
            {
                connection.Abort();
            }

            return true;
        });
        bool hasEnded = SpinWait.SpinUntil(
            () => OnReactor(() => _running) == 0, PatienceForReactor);
        if (!hasEnded)
        {
            throw new TimeoutException("Connections of the load generator do not end.");
        }
    }

    private static void Wait(Task task, string what)
    {
        if (!task.Wait(PatienceForReactor))
        {
            throw new TimeoutException($"The load generator is stuck {what}.");
        }
    }

    private T OnReactor<T>(Func<T> function)
    {
        var done = new TaskCompletionSource<T>();
        _reactor.Post(() => done.SetResult(function()));
        Wait(done.Task, "in its reactor");
        return done.Task.Result;
    }

    private void Aim(IPEndPoint target, byte[] request)
    {
        _target = new InternetAddress(target);
        _request = request;
        _isStopping = false;
        _replyBytes = 0;
    }

    private async ReactorTask<bool> StartAsync(int connections, TaskCompletionSource connected)
    {
        var opened = new List<Transport>(connections);
        while (opened.Count < connections)
        {
            Transport? connection = await ConnectAsync();
            if (connection is null)
            {
                connected.SetException(new InvalidOperationException(
                    $"Connection {opened.Count + 1} to {_target} failed."));
                return false;
            }

            opened.Add(connection);
        }

        foreach (Transport connection in opened)
        {
            _running++;
            RunAsync(connection).Detach(_reactor);
        }

        connected.SetResult();
        return true;
    }

    private async ReactorTask<bool> StartIdleAsync(int connections, TaskCompletionSource connected)
    {
        var head = new ResponseHead(MaxHeaders);
        for (int opened = 0; opened < connections; opened++)
        {
            if (await ConnectAsync() is not { } connection || !await AskOnceAsync(connection, head))
            {
                connected.SetException(new InvalidOperationException(
                    $"Connection {opened + 1} to {_target} failed."));
                return false;
            }

            _running++;
            StayAsync(connection).Detach(_reactor);
        }

        connected.SetResult();
        return true;
    }

    private async ReactorTask<bool> AskOnceAsync(Transport connection, ResponseHead head)
    {
        head.Reset();
        return (await connection.SendAsync(_request, 0, _request.Length, timeoutMs: 0)).IsSuccess
            && await connection.ReceiveAsync(_received, 0, _received.Length, timeoutMs: 0)
                is { IsSuccess: true, Value: > 0 and var received }
            && await ReceiveRestAsync(connection, head, (int)received);
    }

    /// <summary>Nothing is said any more until either side ends the connection.</summary>
    private async ReactorTask<bool> StayAsync(Transport connection)
    {
        await connection.WaitReadableAsync(timeoutMs: 0);
        _failures += _isStopping ? 0 : 1;
        Close(connection);
        _running--;
        return true;
    }

    private async ReactorTask<Transport?> ConnectAsync()
    {
        if (!Transport.TryBeginConnect(_reactor, _target, out Transport connection).IsSuccess)
        {
            return null;
        }

        SyscallResult result = await connection.ConnectAsync(ConnectTimeoutMs);
        if (!result.IsSuccess)
        {
            connection.Close();
            return null;
        }

        _connections.Add(connection);
        return connection;
    }

    private void Close(Transport connection)
    {
        _connections.Remove(connection);
        connection.Close(withReset: true);
    }

    /// <summary>Exchanges over a connection, and over a new one wherever that ended.</summary>
    private async ReactorTask<bool> RunAsync(Transport first)
    {
        var head = new ResponseHead(MaxHeaders);
        Transport? connection = first;
        int failuresInARow = 0;
        while (connection is not null && failuresInARow < MaxFailuresInARow)
        {
            bool mayStay = await ExchangeAsync(connection, head);
            if (_isStopping)
            {
                break;
            }

            failuresInARow = mayStay ? 0 : failuresInARow + 1;
            _failures += mayStay ? 0 : 1;
            Close(connection);
            connection = await ConnectAsync();
        }

        if (connection is not null)
        {
            Close(connection);
        }

        _running--;
        return true;
    }

    /// <summary>
    /// Sends and receives until the connection is of no further use: true when the proxy announced
    /// its end with a good reply, false when it failed.
    /// </summary>
    private async ReactorTask<bool> ExchangeAsync(Transport connection, ResponseHead head)
    {
        long sentAt = Stopwatch.GetTimestamp();
        while (!_isStopping)
        {
            SyscallResult sent =
                await connection.SendAsync(_request, 0, _request.Length, timeoutMs: 0);
            if (!sent.IsSuccess)
            {
                return false;
            }

            SyscallResult received = await connection.ReceiveAsync(
                _received, 0, _received.Length, timeoutMs: 0);
            if (!received.IsSuccess || received.Value == 0)
            {
                return false;
            }

            if (received.IntValue != _replyBytes || !IsKnownReply())
            {
                head.Reset();
                if (!await ReceiveRestAsync(connection, head, received.IntValue))
                {
                    return false;
                }

                if (!head.KeepAlive)
                {
                    Record(ref sentAt);
                    return true;
                }
            }

            Record(ref sentAt);
        }

        return true;
    }

    /// <summary>The next request goes out at once: one look at the clock does for both.</summary>
    private void Record(ref long sentAt)
    {
        long now = Stopwatch.GetTimestamp();
        _latencies.Record((now - sentAt) * (1_000_000_000L / Stopwatch.Frequency));
        sentAt = now;
    }

    private bool IsKnownReply() => _received.AsSpan().StartsWith("HTTP/1.1 200"u8);

    /// <summary>Reads a reply properly: the first, one in pieces, one that is no 200.</summary>
    private async ReactorTask<bool> ReceiveRestAsync(
        Transport connection, ResponseHead head, int length)
    {
        byte[] buffer = _received;
        ParseStatus status = head.Parse(buffer.AsSpan(0, length), MaxHeadBytes);
        while (status == ParseStatus.Incomplete)
        {
            if (buffer == _received)
            {
                // The shared buffer is only good until the next await.
                buffer = new byte[MaxHeadBytes];
                _received.AsSpan(0, length).CopyTo(buffer);
            }

            SyscallResult more = await connection.ReceiveAsync(
                buffer, length, buffer.Length - length, timeoutMs: 0);
            if (!more.IsSuccess || more.Value == 0)
            {
                return false;
            }

            length += more.IntValue;
            status = head.Parse(buffer.AsSpan(0, length), MaxHeadBytes);
        }

        if (status == ParseStatus.Invalid || head.StatusCode != 200 || head.ContentLength < 0)
        {
            return false;
        }

        long replyBytes = head.Length + head.ContentLength;
        for (long left = replyBytes - length; left > 0;)
        {
            SyscallResult ready = await connection.WaitReadableAsync(timeoutMs: 0);
            long more = ready.IsSuccess
                ? Discard.Receive(connection.Handle.Descriptor, left)
                : 0;
            if (more == 0)
            {
                return false;
            }

            left -= Math.Max(0, more);
        }

        if (head.KeepAlive)
        {
            _replyBytes = (int)replyBytes;
        }

        return true;
    }
}
