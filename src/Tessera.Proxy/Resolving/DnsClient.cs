using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Tessera.Proxy.Resolving;

/// <summary>
/// Asks servers of the Domain Name System over UDP, one after the other, until one answers. Safe
/// from any thread; waits on the pool's.
/// </summary>
internal sealed class DnsClient
{
    /// <summary>A server that is silent so long is passed over for the next.</summary>
    private const int PatienceMs = 5_000;

    /// <summary>Names that lead to other names.</summary>
    private const int MaxAliases = 10;

    private const int MaxMessageBytes = 4_096;

    private readonly ResolverConfig _config;
    private readonly IPEndPoint[] _servers;
    private uint _next;

    public DnsClient(ResolverConfig config)
    {
        _config = config;
        _servers = [.. config.Servers.Select(IPEndPoint.Parse)];
    }

    /// <summary>
    /// The addresses of a name and how long they are good, in milliseconds; none when there are
    /// none or nobody says.
    /// </summary>
    public async Task<ResolvedName> ResolveAsync(string name, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(_config.TimeoutMs);
        try
        {
            Task<ResolvedName>[] questions =
            [
                .. _config.AsksIPv4 ? [AskAsync(name, DnsMessage.TypeA, limit.Token)] : Nobody,
                .. _config.AsksIPv6 ? [AskAsync(name, DnsMessage.TypeAaaa, limit.Token)] : Nobody,
            ];
            ResolvedName[] found = await Task.WhenAll(questions);
            IPAddress[] addresses = [.. found.SelectMany(one => one.Addresses)];
            int goodMs = found.Where(one => one.Addresses.Count > 0)
                .Select(one => one.GoodMs).DefaultIfEmpty(0).Min();
            return new ResolvedName(addresses, _config.ValidMs > 0 ? _config.ValidMs : goodMs);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            return ResolvedName.Unknown;
        }
    }

    private static Task<ResolvedName>[] Nobody => [];

    private async Task<ResolvedName> AskAsync(
        string name, ushort type, CancellationToken cancellation)
    {
        for (int aliases = 0; aliases <= MaxAliases; aliases++)
        {
            DnsAnswer? answer = await AskOnceAsync(name, type, cancellation);
            if (answer is null || answer.Code != 0)
            {
                return ResolvedName.Unknown;
            }

            if (answer.Addresses.Count > 0 || answer.Alias is null)
            {
                long goodMs = Math.Min(answer.Seconds * 1_000L, int.MaxValue);
                return new ResolvedName(answer.Addresses, (int)goodMs);
            }

            name = answer.Alias;
        }

        return ResolvedName.Unknown;
    }

    private async Task<DnsAnswer?> AskOnceAsync(
        string name, ushort type, CancellationToken cancellation)
    {
        ushort id = (ushort)RandomNumberGenerator.GetInt32(1 << 16);
        if (DnsMessage.WriteQuestion(id, name, type) is not { } question)
        {
            return null;
        }

        byte[] buffer = new byte[MaxMessageBytes];
        while (!cancellation.IsCancellationRequested)
        {
            IPEndPoint server = _servers[Interlocked.Increment(ref _next) % _servers.Length];
            using var socket = new Socket(
                server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            patience.CancelAfter(PatienceMs);
            try
            {
                // Connected, so that nobody else's answer is received.
                await socket.ConnectAsync(server, patience.Token);
                await socket.SendAsync(question, patience.Token);
                while (true)
                {
                    int length = await socket.ReceiveAsync(buffer, patience.Token);
                    if (DnsMessage.TryRead(buffer.AsSpan(0, length), id) is { } answer)
                    {
                        return answer;
                    }
                }
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                continue;
            }
            catch (SocketException) when (_servers.Length > 1)
            {
                await Task.Delay(PatienceMs / 10, cancellation);
            }
        }

        return null;
    }
}

/// <param name="GoodMs">How long they may be used.</param>
internal sealed record ResolvedName(IReadOnlyList<IPAddress> Addresses, int GoodMs)
{
    public static ResolvedName Unknown { get; } = new([], 0);
}
