using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tessera.EndToEnd.Harness;

/// <summary>
/// One connection that says exactly the bytes it is told and reads answers strictly: a reset, a
/// body that is cut short or a wrong framing is an exception that names it. Each operation has a
/// limit of time. One flow uses it at a time.
/// </summary>
public sealed class RawHttp : IDisposable
{
    public static readonly TimeSpan DefaultLimit = TimeSpan.FromSeconds(20);
    private readonly Socket _socket;
    private readonly TimeSpan _limit;
    private byte[] _buffer = new byte[8 * 1_024];
    private int _start;
    private int _end;

    private RawHttp(Socket socket, TimeSpan limit)
    {
        _socket = socket;
        _limit = limit;
    }

    public Socket Socket => _socket;

    public static async Task<RawHttp> ConnectAsync(
        int port, TimeSpan? limit = null, string address = "127.0.0.1")
    {
        var endpoint = new IPEndPoint(IPAddress.Parse(address), port);
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp)
        {
            NoDelay = true,
        };
        try
        {
            using var cancel = new CancellationTokenSource(limit ?? DefaultLimit);
            await socket.ConnectAsync(endpoint, cancel.Token);
            return new RawHttp(socket, limit ?? DefaultLimit);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Speaks over a socket that is connected already, and closes it in the end.</summary>
    public static RawHttp Over(Socket connected) => new(connected, DefaultLimit);

    /// <summary>One request on a connection of its own.</summary>
    public static async Task<HttpAnswer> GetAsync(
        int port, string path = "/", TimeSpan? limit = null)
    {
        using RawHttp http = await ConnectAsync(port, limit);
        await http.SendAsync(
            $"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        return await http.ReadAnswerAsync();
    }

    /// <summary>
    /// One request with fields of its own, from an address of the loopback network.
    /// </summary>
    /// <param name="fields">Whole lines, <c>\r\n</c> between them; Host unless it is there.</param>
    public static async Task<HttpAnswer> AskAsync(
        int port, string methodAndPath, string fields = "", string body = "",
        string from = "127.0.0.1")
    {
        using RawHttp http = await ConnectFromAsync(port, from);
        var head = new StringBuilder($"{methodAndPath} HTTP/1.1\r\nConnection: close\r\n");
        bool hasHost = fields.Contains("Host:", StringComparison.Ordinal);
        head.Append(hasHost ? "" : "Host: localhost\r\n");
        head.Append(fields.Length > 0 ? fields + "\r\n" : "");
        head.Append(body.Length > 0
            ? string.Create(CultureInfo.InvariantCulture, $"Content-Length: {body.Length}\r\n")
            : "");
        await http.SendAsync(head + "\r\n" + body);
        return await http.ReadAnswerAsync(
            isHead: methodAndPath.StartsWith("HEAD ", StringComparison.Ordinal));
    }

    /// <param name="from">Address of the loopback network that the client has.</param>
    public static async Task<RawHttp> ConnectFromAsync(int port, string from)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
            await socket.ConnectAsync(IPAddress.Loopback, port);
            return new RawHttp(socket, DefaultLimit);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        using var cancel = new CancellationTokenSource(_limit);
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await _socket.SendAsync(bytes, cancel.Token)..];
        }
    }

    /// <summary>The next final response; interim ones (1xx but 101) are skipped.</summary>
    /// <param name="countOnly">The body is counted and dropped.</param>
    public async Task<HttpAnswer> ReadAnswerAsync(bool isHead = false, bool countOnly = false)
    {
        string head = await ReadHeadAsync();
        int status = HttpAnswer.ParseStatus(head);
        while (status is >= 100 and < 200 and not 101)
        {
            head = await ReadHeadAsync();
            status = HttpAnswer.ParseStatus(head);
        }

        if (isHead || status is 101 or 204 or 304)
        {
            return new HttpAnswer(status, head, [], 0);
        }

        using var body = new MemoryStream();
        MemoryStream? target = countOnly ? null : body;
        long length = HttpAnswer.FindHeader(head, "Transfer-Encoding") is "chunked"
            ? await ReadChunksAsync(target)
            : HttpAnswer.FindHeader(head, "Content-Length") is { } text
                ? await ReadExactlyAsync(long.Parse(text, CultureInfo.InvariantCulture), target)
                : await ReadToEndAsync(target);
        return new HttpAnswer(status, head, body.ToArray(), length);
    }

    /// <summary>Up to and without the empty line that ends a head.</summary>
    public async Task<string> ReadHeadAsync()
    {
        int searched = 0;
        while (true)
        {
            int at = _buffer.AsSpan(_start + searched, _end - _start - searched)
                .IndexOf("\r\n\r\n"u8);
            if (at >= 0)
            {
                string head = Encoding.Latin1.GetString(_buffer, _start, searched + at);
                _start += searched + at + 4;
                return head;
            }

            searched = Math.Max(0, _end - _start - 3);
            if (await FillAsync() == 0)
            {
                throw new EndOfStreamException(_end == _start
                    ? "closed before an answer"
                    : "closed within the head of an answer");
            }
        }
    }

    public async Task<string> ReadTextAsync(int length)
    {
        using var bytes = new MemoryStream();
        await ReadExactlyAsync(length, bytes);
        return Encoding.Latin1.GetString(bytes.ToArray());
    }

    /// <summary>Everything until the other side closes; a reset ends it like a close.</summary>
    public async Task<string> ReadAllAsync()
    {
        using var bytes = new MemoryStream();
        try
        {
            await ReadToEndAsync(bytes);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // What came before it has been kept; a strict server may reset a connection it gave up.
        }

        return Encoding.Latin1.GetString(bytes.ToArray());
    }

    public void Dispose() => _socket.Dispose();

    private async Task<long> ReadChunksAsync(MemoryStream? target)
    {
        long total = 0;
        while (true)
        {
            string line = await ReadLineAsync();
            long size = long.Parse(
                line.Split(';')[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (size == 0)
            {
                while (await ReadLineAsync() != "")
                {
                    // Trailer fields are of no interest.
                }

                return total;
            }

            total += await ReadExactlyAsync(size, target);
            if (await ReadLineAsync() != "")
            {
                throw new InvalidDataException("a chunk is longer than its size says");
            }
        }
    }

    private async Task<string> ReadLineAsync()
    {
        while (true)
        {
            int at = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n"u8);
            if (at >= 0)
            {
                string line = Encoding.Latin1.GetString(_buffer, _start, at);
                _start += at + 2;
                return line;
            }

            if (await FillAsync() == 0)
            {
                throw new EndOfStreamException("closed within a chunked body");
            }
        }
    }

    private async Task<long> ReadExactlyAsync(long length, MemoryStream? target)
    {
        long left = length;
        while (left > 0)
        {
            if (_start == _end && await FillAsync() == 0)
            {
                throw new EndOfStreamException($"body cut short, {left} of {length} bytes missing");
            }

            int take = (int)Math.Min(left, _end - _start);
            target?.Write(_buffer, _start, take);
            _start += take;
            left -= take;
            GrowForLongBody(left);
        }

        return length;
    }

    private async Task<long> ReadToEndAsync(MemoryStream? target)
    {
        long total = 0;
        do
        {
            target?.Write(_buffer, _start, _end - _start);
            total += _end - _start;
            _start = _end;
        }
        while (await FillAsync() > 0);
        return total;
    }

    private void GrowForLongBody(long left)
    {
        if (left > _buffer.Length && _buffer.Length < 256 * 1_024 && _start == _end)
        {
            _buffer = new byte[256 * 1_024];
            _start = _end = 0;
        }
    }

    private async ValueTask<int> FillAsync()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        using var cancel = new CancellationTokenSource(_limit);
        try
        {
            int read = await _socket.ReceiveAsync(_buffer.AsMemory(_end), cancel.Token);
            _end += read;
            return read;
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"nothing came for {_limit.TotalSeconds:F1} s");
        }
    }
}
