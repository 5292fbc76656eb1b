using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Tessera.Proxy.Resolving;

namespace Tessera.Tests.Proxy.Resolving;

/// <summary>
/// A server of the Domain Name System on loopback, over UDP and TCP, whose records a test changes
/// as it goes. Closed when disposed.
/// </summary>
internal sealed class NameServer : IAsyncDisposable
{
    private const int HeadBytes = 12;

    private readonly CancellationTokenSource _end = new();
    private readonly Socket _datagrams;
    private readonly TcpListener _connections;
    private readonly Task _serving;
    private readonly ConcurrentDictionary<string, NameRecords> _records =
        new(StringComparer.OrdinalIgnoreCase);

    private int _questions;

    public NameServer()
    {
        // The same number for both, which another program may have taken for the second.
        while (true)
        {
            _connections = new TcpListener(IPAddress.Loopback, 0);
            _connections.Start();
            _datagrams = new Socket(
                AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            try
            {
                _datagrams.Bind(_connections.LocalEndpoint);
                break;
            }
            catch (SocketException)
            {
                _datagrams.Dispose();
                _connections.Dispose();
            }
        }

        _serving = Task.WhenAll(ServeDatagramsAsync(), ServeConnectionsAsync());
    }

    public IPEndPoint Address => (IPEndPoint)_connections.LocalEndpoint;

    /// <summary>Questions so far.</summary>
    public int Questions => Volatile.Read(ref _questions);

    /// <summary>Whoever asks over TCP meets a reset.</summary>
    public bool ResetsConnections { get; init; }

    public NameRecords this[string name]
    {
        set => _records[name] = value;
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _serving;
        _datagrams.Dispose();
        _connections.Dispose();
        _end.Dispose();
    }

    private async Task ServeDatagramsAsync()
    {
        byte[] buffer = new byte[4_096];
        try
        {
            while (true)
            {
                SocketReceiveFromResult asked = await _datagrams.ReceiveFromAsync(
                    buffer, new IPEndPoint(IPAddress.Any, 0), _end.Token);
                if (Answer(buffer[..asked.ReceivedBytes], isShort: true) is { } answer)
                {
                    await _datagrams.SendToAsync(answer, asked.RemoteEndPoint, _end.Token);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    private async Task ServeConnectionsAsync()
    {
        try
        {
            while (true)
            {
                using TcpClient client = await _connections.AcceptTcpClientAsync(_end.Token);
                NetworkStream stream = client.GetStream();
                byte[] head = new byte[2];
                await stream.ReadExactlyAsync(head, _end.Token);
                if (ResetsConnections)
                {
                    client.Client.Close(timeout: 0);
                    continue;
                }

                byte[] question = new byte[BinaryPrimitives.ReadUInt16BigEndian(head)];
                await stream.ReadExactlyAsync(question, _end.Token);
                byte[] answer = Answer(question, isShort: false)!;
                BinaryPrimitives.WriteUInt16BigEndian(head, (ushort)answer.Length);
                await stream.WriteAsync((byte[])[.. head, .. answer], _end.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The test is over.
        }
    }

    /// <summary>Null where the test wants silence.</summary>
    private byte[]? Answer(byte[] question, bool isShort)
    {
        Interlocked.Increment(ref _questions);
        var labels = new List<string>();
        int at = HeadBytes;
        while (question[at] != 0)
        {
            labels.Add(Encoding.ASCII.GetString(question, at + 1, question[at]));
            at += question[at] + 1;
        }

        ushort type = BinaryPrimitives.ReadUInt16BigEndian(question.AsSpan(at + 1));
        NameRecords records = _records.GetValueOrDefault(
            string.Join('.', labels), new NameRecords { Code = 3 });
        if (records.IsSilent)
        {
            return null;
        }

        byte[][] datas = [.. records.DatasOf(type)];
        bool isCut = records.IsLong && isShort;
        List<byte> answer =
        [
            .. question[..2],
            (byte)(isCut ? 0x83 : 0x81),
            (byte)(0x80 | records.Code),
            0, 1, 0, (byte)(isCut ? 0 : datas.Length), 0, 0, 0, 0,
            .. question[HeadBytes..(at + 5)],
        ];
        foreach (byte[] data in isCut ? [] : datas)
        {
            ushort shown = records.Alias is null ? type : DnsMessage.TypeCname;
            answer.AddRange(
            [
                0xc0, 0x0c, 0, (byte)shown, 0, 1,
                0, 0, (byte)(records.Seconds >> 8), (byte)records.Seconds,
                (byte)(data.Length >> 8), (byte)data.Length, .. data,
            ]);
        }

        return [.. answer];
    }
}

/// <summary>What a server says of a name.</summary>
internal sealed record NameRecords
{
    public string[] Addresses { get; init; } = [];

    /// <summary>"priority weight port target".</summary>
    public string[] Services { get; init; } = [];

    public string? Alias { get; init; }

    public int Code { get; init; }

    public int Seconds { get; init; } = 1;

    /// <summary>Over UDP it does not fit.</summary>
    public bool IsLong { get; init; }

    /// <summary>No answer comes.</summary>
    public bool IsSilent { get; init; }

    public IEnumerable<byte[]> DatasOf(ushort type) =>
        Alias is not null ? [NameOf(Alias)]
        : type == DnsMessage.TypeSrv ? Services.Select(ServiceOf)
        : Addresses.Select(IPAddress.Parse)
            .Where(a => (a.AddressFamily == AddressFamily.InterNetwork)
                == (type == DnsMessage.TypeA))
            .Select(a => a.GetAddressBytes());

    private static byte[] ServiceOf(string service)
    {
        string[] parts = service.Split(' ');
        return
        [
            .. parts[..3].SelectMany(part =>
            {
                ushort number = ushort.Parse(
                    part, System.Globalization.CultureInfo.InvariantCulture);
                return (byte[])[(byte)(number >> 8), (byte)number];
            }),
            .. NameOf(parts[3]),
        ];
    }

    private static byte[] NameOf(string name) =>
    [
        .. name.Split('.').SelectMany(
            label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]),
        0,
    ];
}
