using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Tessera.Proxy.Resolving;

/// <summary>
/// Asks servers of the Domain Name System over UDP, one after the other, until one answers; over
/// TCP for answers that are too long. Safe from any thread; waits on the pool's.
/// </summary>
internal sealed class DnsClient
{
    /// <summary>A server that is silent so long is passed over for the next.</summary>
    private const int PatienceMs = 5_000;

    /// <summary>Before the next is asked, where one cannot be reached.</summary>
    private const int RestMs = 500;

    /// <summary>Names that lead to other names.</summary>
    private const int MaxAliases = 10;

    private const int MaxMessageBytes = 4_096;

    private readonly ResolverConfig _config;
    private readonly IPEndPoint[] _servers;
    private uint _next = uint.MaxValue;

    public DnsClient(ResolverConfig config)
    {
        _config = config;
        _servers = [.. config.Servers.Select(IPEndPoint.Parse)];
    }

    /// <summary>The addresses of a name, or why there are none.</summary>
    /// <param name="timeoutMs">For all of it.</param>
    public async Task<ResolvedName> ResolveAsync(
        string name, int timeoutMs, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(timeoutMs);
        try
        {
            return await FindAddressesAsync(name, limit.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            return ResolvedName.Failed(ResolveCode.TimedOut);
        }
    }

    /// <summary>The servers of a service with their addresses (RFC 2782).</summary>
    /// <param name="name">"_http._tcp.example.net".</param>
    /// <param name="timeoutMs">For all of it.</param>
    public async Task<ResolvedService> ResolveServiceAsync(
        string name, int timeoutMs, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(timeoutMs);
        try
        {
            (DnsAnswer answer, uint seconds) = await AskAsync(
                name, DnsMessage.TypeSrv, TakeTurn(), limit.Token);
            if (answer.Code != ResolveCode.None || answer.Services.Count == 0)
            {
                return new ResolvedService([], 0, CodeOf(answer.Code));
            }

            ResolvedName[] found = await Task.WhenAll(answer.Services.Select(
                service => FindAddressesAsync(service.Target, limit.Token)));
            int code = found.Select(one => one.Code).FirstOrDefault(
                one => one is not (ResolveCode.None or ResolveCode.NotFound));
            int goodMs = found.Where(one => one.Addresses.Count > 0).Select(one => one.GoodMs)
                .Append(GoodMs(seconds)).Min();
            return new ResolvedService(
                [
                    .. answer.Services.Zip(found, (service, addresses) => new ServiceServer(
                        service.Priority, service.Weight, service.Port, addresses.Addresses)),
                ],
                goodMs,
                code);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            return new ResolvedService([], 0, ResolveCode.TimedOut);
        }
    }

    private async Task<ResolvedName> FindAddressesAsync(
        string name, CancellationToken cancellation)
    {
        uint turn = TakeTurn();
        Task<(DnsAnswer Answer, uint Seconds)>[] questions =
        [
            .. _config.AsksIPv4 ? [AskAsync(name, DnsMessage.TypeA, turn, cancellation)] : Nobody,
            .. _config.AsksIPv6
                ? [AskAsync(name, DnsMessage.TypeAaaa, turn, cancellation)]
                : Nobody,
        ];
        (DnsAnswer Answer, uint Seconds)[] found = await Task.WhenAll(questions);
        IPAddress[] addresses = [.. found.SelectMany(one => one.Answer.Addresses)];
        if (addresses.Length == 0)
        {
            int code = found.Select(one => one.Answer.Code).FirstOrDefault(
                one => one is not (ResolveCode.None or ResolveCode.NotFound));
            return ResolvedName.Failed(CodeOf(code));
        }

        uint seconds = found.Where(one => one.Answer.Addresses.Count > 0)
            .Min(one => one.Seconds);
        return new ResolvedName(addresses, GoodMs(seconds));
    }

    private static Task<(DnsAnswer Answer, uint Seconds)>[] Nobody => [];

    private static int CodeOf(int code) =>
        code == ResolveCode.None ? ResolveCode.NotFound : code;

    private int GoodMs(uint seconds) => _config.ValidMs > 0
        ? _config.ValidMs
        : (int)Math.Min(seconds * 1_000L, int.MaxValue);

    /// <summary>All questions about one name go to one server, those about the next to the next.
    /// </summary>
    private uint TakeTurn() => Interlocked.Increment(ref _next);

    /// <summary>Follows names that stand for others; the shortest time of all counts.</summary>
    private async Task<(DnsAnswer Answer, uint Seconds)> AskAsync(
        string name, ushort type, uint turn, CancellationToken cancellation)
    {
        uint seconds = uint.MaxValue;
        for (int aliases = 0; aliases <= MaxAliases; aliases++)
        {
            DnsAnswer answer = await AskOnceAsync(name, type, turn, cancellation);
            seconds = Math.Min(seconds, answer.Seconds);
            bool isEnd = answer.Code != ResolveCode.None || answer.Alias is null
                || answer.Addresses.Count > 0 || answer.Services.Count > 0;
            if (isEnd)
            {
                return (answer, seconds);
            }

            name = answer.Alias!;
        }

        return (new DnsAnswer(ResolveCode.NotFound, [], null, 0), 0);
    }

    private async Task<DnsAnswer> AskOnceAsync(
        string name, ushort type, uint turn, CancellationToken cancellation)
    {
        ushort id = (ushort)RandomNumberGenerator.GetInt32(1 << 16);
        if (DnsMessage.WriteQuestion(id, name, type) is not { } question)
        {
            return new DnsAnswer(ResolveCode.NotFound, [], null, 0);
        }

        for (uint attempt = 0; ; attempt++)
        {
            IPEndPoint server = _servers[(turn + attempt) % (uint)_servers.Length];
            int restMs = RestMs;
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            patience.CancelAfter(PatienceMs);
            try
            {
                DnsAnswer answer = await AskServerAsync(server, question, id, patience.Token);
                if (answer.Code != ResolveCode.FormatError)
                {
                    return answer;
                }

                // As nginx: that a server does not understand is no answer. When none of them
                // does, none is asked again at once.
                restMs = (attempt + 1) % _servers.Length == 0 ? PatienceMs : 0;
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                restMs = 0;
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                // It cannot be reached, or has gone away.
            }

            await Task.Delay(restMs, cancellation);
        }
    }

    private static async Task<DnsAnswer> AskServerAsync(
        IPEndPoint server, byte[] question, ushort id, CancellationToken cancellation)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);

        // Connected, so that nobody else's answer is received.
        await socket.ConnectAsync(server, cancellation);
        await socket.SendAsync(question, cancellation);
        byte[] buffer = new byte[MaxMessageBytes];
        while (true)
        {
            int length = await socket.ReceiveAsync(buffer, cancellation);
            if (DnsMessage.TryRead(buffer.AsSpan(0, length), id, question) is { } answer)
            {
                return answer.IsTruncated
                    ? await AskOverTcpAsync(server, question, id, cancellation)
                    : answer;
            }
        }
    }

    /// <summary>Messages have their length before them (RFC 1035 section 4.2.2).</summary>
    private static async Task<DnsAnswer> AskOverTcpAsync(
        IPEndPoint server, byte[] question, ushort id, CancellationToken cancellation)
    {
        using var client = new TcpClient(server.AddressFamily);
        await client.ConnectAsync(server, cancellation);
        NetworkStream stream = client.GetStream();
        byte[] message = new byte[question.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(message, (ushort)question.Length);
        question.CopyTo(message, 2);
        await stream.WriteAsync(message, cancellation);
        byte[] head = new byte[2];
        await stream.ReadExactlyAsync(head, cancellation);
        byte[] body = new byte[BinaryPrimitives.ReadUInt16BigEndian(head)];
        await stream.ReadExactlyAsync(body, cancellation);
        return DnsMessage.TryRead(body, id, question) is { IsTruncated: false } answer
            ? answer
            : throw new EndOfStreamException("what came over TCP is no answer");
    }
}
