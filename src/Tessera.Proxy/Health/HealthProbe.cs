using System.Net;
using System.Text;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Transports;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Health;

/// <summary>
/// Asks one endpoint at intervals whether it is well, over a connection of its own each time, and
/// tells the endpoint's health when the answer has changed often enough. The first answer counts at
/// once. Lives on one reactor; <see cref="Start"/> and <see cref="Stop"/> may be called from
/// anywhere, each once.
/// </summary>
internal sealed class HealthProbe
{
    /// <summary>Probes in progress on one reactor; one more waits for a place.</summary>
    private const int MaxAtOnce = 64;

    private const int PlaceRestMs = 50;

    /// <summary>Shorter intervals are made so long.</summary>
    private const int MinIntervalMs = 100;

    /// <summary>Within this time, by chance, an endpoint is first asked.</summary>
    private const int FirstSpreadMs = 500;

    /// <summary>Bytes of a body that are searched.</summary>
    private const int MaxBodyBytes = 64 * 1_024;

    /// <summary>The machine could not ask: that says nothing about the endpoint.</summary>
    private const string Unasked = "";

    private readonly Shard _shard;
    private readonly Reactor _reactor;
    private readonly Endpoint _endpoint;
    private readonly BackendHealth _backend;
    private readonly IoOperation _pause;
    private readonly byte[] _request;
    private readonly ResponseHead _head;
    private readonly TextSearch? _search;
    private Transport? _transport;
    private volatile bool _isStopped;
    private bool _hasAnswered;
    private int _passes;
    private int _failures;

    public HealthProbe(
        Shard shard, Endpoint endpoint, BackendHealth backend, HealthProbeConfig config)
    {
        _shard = shard;
        _reactor = shard.Reactor;
        _endpoint = endpoint;
        _backend = backend;
        Config = config;
        _pause = new IoOperation(_reactor, handle: null);
        _request = WriteRequest(config, endpoint.Address.ToIPEndPoint());
        _head = new ResponseHead(shard.Options.MaxHeaderCount);
        _search = config.BodyContains is { Length: > 0 } text
            ? new TextSearch(Encoding.UTF8.GetBytes(text))
            : null;
    }

    public HealthProbeConfig Config { get; }

    public void Start() => _reactor.Post(() => RunAsync().Detach(_reactor));

    /// <summary>
    /// Nothing that it finds out from now on counts; what is in progress is cut.
    /// </summary>
    public void Stop()
    {
        _isStopped = true;
        _reactor.Post(() =>
        {
            _pause.Cancel();
            _transport?.Abort();
        });
    }

    /// <summary>The bytes of the question: HTTP/1.1, one request for each connection.</summary>
    internal static byte[] WriteRequest(HealthProbeConfig config, IPEndPoint address)
    {
        string text = $"GET {Encode(config.Path)} HTTP/1.1\r\n"
            + $"Host: {Encode(config.Host ?? address.ToString())}\r\n"
            + "User-Agent: tessera-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n";
        byte[] bytes = GC.AllocateUninitializedArray<byte>(text.Length, pinned: true);
        Encoding.ASCII.GetBytes(text, bytes);
        return bytes;
    }

    /// <summary>Whatever could end a line or a word of the head is percent-encoded.</summary>
    private static string Encode(string text)
    {
        var encoded = new StringBuilder();
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            encoded.Append(value is > (byte)' ' and < 127
                ? ((char)value).ToString()
                : $"%{value:X2}");
        }

        return encoded.ToString();
    }

    private async ReactorTask<bool> RunAsync()
    {
        // (1) Not all endpoints at the same moment, but soon.
        int pauseMs = Random.Shared.Next(
            1, Math.Min(FirstSpreadMs, Math.Max(Config.IntervalMs, MinIntervalMs)));
        while (true)
        {
            // (2) Wait; a stop ends the wait.
            await _reactor.Start(_pause, IoKind.Wait, [], 0, 0, pauseMs);
            if (_isStopped)
            {
                return true;
            }

            if (_shard.ProbeCount >= MaxAtOnce)
            {
                pauseMs = PlaceRestMs;
                continue;
            }

            // (3) Ask. What is learnt after a stop is nobody's.
            _shard.ProbeCount++;
            string? failure = await AskGuardedAsync();
            _shard.ProbeCount--;
            if (_isStopped)
            {
                return true;
            }

            if (failure != Unasked)
            {
                Note(failure);
            }

            // (4) A tenth of the interval, by chance, keeps probes from marching in step.
            int intervalMs = Math.Max(Config.IntervalMs, MinIntervalMs);
            pauseMs = intervalMs + Random.Shared.Next(-intervalMs / 10, (intervalMs / 10) + 1);
        }
    }

    private void Note(string? failure)
    {
        _passes = failure is null ? _passes + 1 : 0;
        _failures = failure is null ? 0 : _failures + 1;
        bool isFirst = !_hasAnswered;
        _hasAnswered = true;
        EndpointHealth health = _endpoint.Health;
        if (failure is null && (isFirst || _passes >= Config.Rises))
        {
            if (health.NoteProbePasses(_reactor.NowMs))
            {
                _backend.NoteProbe(_endpoint.Id, failure: null);
            }
        }
        else if (failure is not null && (isFirst || _failures >= Config.Falls))
        {
            if (health.NoteProbeFails(failure) || isFirst)
            {
                _backend.NoteProbe(_endpoint.Id, failure);
            }
        }
    }

    /// <summary>A bug in here must not end the probing, nor leave a place taken.</summary>
    private async ReactorTask<string?> AskGuardedAsync()
    {
        try
        {
            return await AskAsync();
        }
        catch (Exception exception)
        {
            _reactor.ReportFault(exception);
            return Unasked;
        }
    }

    /// <summary>Null when the endpoint is well, else why not.</summary>
    private async ReactorTask<string?> AskAsync()
    {
        long deadlineMs = _reactor.NowMs + Config.TimeoutMs;
        SyscallResult begun = Transport.TryBeginConnect(
            _reactor, _endpoint.Address, out Transport transport);
        if (!begun.IsSuccess)
        {
            return Errno.IsShortage(begun.Errno) ? Unasked : Describe("connect", begun);
        }

        _transport = transport;
        try
        {
            SyscallResult connected = await transport.ConnectAsync(LeftMs(deadlineMs));
            return !connected.IsSuccess ? Describe("connect", connected)
                : Config.Kind == HealthProbeKind.Tcp ? null
                : await AskHttpAsync(transport, deadlineMs);
        }
        finally
        {
            _transport = null;
            transport.Close();
        }
    }

    private async ReactorTask<string?> AskHttpAsync(Transport transport, long deadlineMs)
    {
        SyscallResult sent = await transport.SendAsync(
            _request, 0, _request.Length, LeftMs(deadlineMs));
        if (!sent.IsSuccess)
        {
            return Describe("send", sent);
        }

        byte[] buffer = _reactor.Buffers.Rent(_reactor.Buffers.HeadBytes);
        try
        {
            return await ReadAnswerAsync(transport, buffer, deadlineMs);
        }
        finally
        {
            _reactor.Buffers.Return(buffer);
        }
    }

    private async ReactorTask<string?> ReadAnswerAsync(
        Transport transport, byte[] buffer, long deadlineMs)
    {
        // (1) The head, behind any interim ones.
        _head.Reset();
        int end = 0;
        while (true)
        {
            SyscallResult received = await transport.ReceiveAsync(
                buffer, end, buffer.Length - end, LeftMs(deadlineMs));
            if (!received.IsSuccess || received.Value == 0)
            {
                return Describe("answer", received);
            }

            end += received.IntValue;
            ParseStatus status = ParseHead(buffer, ref end);
            if (status == ParseStatus.Invalid || (status != ParseStatus.Complete
                && end == buffer.Length))
            {
                return $"the answer is not valid HTTP: {_head.ErrorReason}";
            }

            if (status == ParseStatus.Complete)
            {
                break;
            }
        }

        // (2) Its status.
        if (_head.StatusCode < Config.MinStatus || _head.StatusCode > Config.MaxStatus)
        {
            return $"{Config.Path} answered {_head.StatusCode}";
        }

        if (_search is null)
        {
            return null;
        }

        // (3) Its body, as far as it takes.
        _search.Restart();
        var body = new BodyReader(_head.BodyFor(HttpMethod.Get), _head.ContentLength);
        int taken = Search(ref body, buffer.AsSpan(_head.Length, end - _head.Length));
        while (!_search.IsFound && !body.IsComplete && !body.IsInvalid && taken < MaxBodyBytes)
        {
            SyscallResult received = await transport.ReceiveAsync(
                buffer, 0, buffer.Length, LeftMs(deadlineMs));
            if (!received.IsSuccess || received.Value == 0)
            {
                break;
            }

            taken += Search(ref body, buffer.AsSpan(0, received.IntValue));
        }

        return _search.IsFound ? null : $"{Config.Path} lacks \"{Config.BodyContains}\"";
    }

    /// <summary>Interim responses (1xx) make room for what follows them.</summary>
    private ParseStatus ParseHead(byte[] buffer, ref int end)
    {
        while (true)
        {
            ParseStatus status = _head.Parse(buffer.AsSpan(0, end), _shard.Options.MaxHeadBytes);
            if (status != ParseStatus.Complete || _head.StatusCode >= 200)
            {
                return status;
            }

            int length = _head.Length;
            buffer.AsSpan(length..end).CopyTo(buffer);
            end -= length;
            _head.Reset();
        }
    }

    /// <summary>Returns the bytes taken, the framing of chunks left out of the search.</summary>
    private int Search(ref BodyReader body, Span<byte> received)
    {
        if (body.Framing != BodyFraming.Chunked)
        {
            int length = body.Take(received);
            _search!.Feed(received[..length]);
            return length;
        }

        int taken = 0;
        while (taken < received.Length)
        {
            int consumed = body.TakeChunkData(received[taken..], out int start, out int length);
            _search!.Feed(received.Slice(taken + start, length));
            taken += consumed;
            if (consumed == 0 || body.IsComplete)
            {
                break;
            }
        }

        return taken;
    }

    private int LeftMs(long deadlineMs) =>
        (int)Math.Clamp(deadlineMs - _reactor.NowMs, 1, int.MaxValue);

    private string Describe(string step, SyscallResult result) =>
        result.IsSuccess ? "it closed the connection without an answer"
        : result.Errno == Errno.TimedOut ? $"{step}: nothing within {Config.TimeoutMs} ms"
        : $"{step}: {Errno.Describe(result.Errno)}";
}
