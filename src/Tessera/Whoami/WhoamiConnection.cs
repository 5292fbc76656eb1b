using System.Buffers.Text;
using System.Net.Sockets;
using System.Text;

namespace Tessera.Whoami;

/// <summary>
/// One connection of <see cref="WhoamiServer"/>: reads a request, discards its body, answers,
/// again. Serves one connection on one flow of control; not to be shared. It sits behind a balancer
/// or a test, so it is lenient where a mistake harms nobody, and ends the connection where the end
/// of a request is not certain.
/// </summary>
internal sealed class WhoamiConnection(
    Socket client, string name, TimeSpan delay, TimeProvider time)
{
    private const int MaxHeadBytes = 64 * 1024;
    private const int MaxChunkLineBytes = 4 * 1024;

    private static readonly byte[] BadRequest = Encoding.ASCII.GetBytes(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n"
        + "Connection: close\r\n\r\nBad request\n");

    private static readonly byte[] Continue = "HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray();

    private readonly byte[] _nameLine = Encoding.UTF8.GetBytes($"Instance: {name}\n");
    private byte[] _input = new byte[8 * 1024];
    private byte[] _output = new byte[2 * 1024];
    private int _start;
    private int _end;

    /// <summary>Serves until either side is done; throws what the socket throws.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        while (true)
        {
            int headLength = await ReceiveHeadAsync(cancellation);
            if (headLength == 0)
            {
                return;
            }

            WhoamiRequest? request = headLength < 0
                ? null
                : WhoamiRequest.Parse(_input.AsSpan(_start, headLength));
            if (request is not { } head)
            {
                await RejectAsync(cancellation);
                return;
            }

            // Written before the body is read: the head lies in the buffer that the body reuses.
            int length = Compose(_input.AsSpan(_start, headLength), head);
            _start += headLength;
            if (head.ExpectsContinue)
            {
                await SendAsync(Continue, cancellation);
            }

            if (!await DiscardBodyAsync(head, cancellation))
            {
                await RejectAsync(cancellation);
                return;
            }

            if (delay > TimeSpan.Zero)
            {
                await Task.Delay(delay, time, cancellation);
            }

            await SendAsync(_output.AsMemory(0, length), cancellation);
            if (!head.IsKeptAlive)
            {
                client.Shutdown(SocketShutdown.Send);
                return;
            }
        }
    }

    /// <summary>
    /// Bytes of the next head with its empty line; 0 at the end, -1 when it is no head.
    /// </summary>
    private async ValueTask<int> ReceiveHeadAsync(CancellationToken cancellation)
    {
        int scanned = 0;
        while (true)
        {
            // RFC 9112 2.2: empty lines before a request line are ignored.
            while (_start < _end && scanned == 0 && _input[_start] is (byte)'\r' or (byte)'\n')
            {
                _start++;
            }

            int from = Math.Max(0, scanned - 3);
            int at = _input.AsSpan(_start + from, _end - _start - from).IndexOf("\r\n\r\n"u8);
            if (at >= 0)
            {
                return from + at + 4;
            }

            scanned = _end - _start;
            if (scanned >= MaxHeadBytes)
            {
                return -1;
            }

            if (!await ReceiveAsync(cancellation))
            {
                return scanned == 0 ? 0 : -1;
            }
        }
    }

    private async ValueTask<bool> DiscardBodyAsync(
        WhoamiRequest request, CancellationToken cancellation)
    {
        if (!request.IsChunked)
        {
            return await DiscardAsync(request.ContentLength, cancellation);
        }

        while (true)
        {
            // RFC 9112 7.1: chunk = size [extension] CRLF data CRLF; size 0 is the last, trailers
            // follow.
            int line = await ReceiveLineAsync(cancellation);
            if (line < 0 || !TryParseChunkSize(_input.AsSpan(_start, line), out long size))
            {
                return false;
            }

            _start += line;
            if (size > 0)
            {
                if (!await DiscardAsync(size + 2, cancellation))
                {
                    return false;
                }

                continue;
            }

            do
            {
                line = await ReceiveLineAsync(cancellation);
                _start += Math.Max(line, 0);
            }
            while (line > 2);
            return line > 0;
        }
    }

    private static bool TryParseChunkSize(ReadOnlySpan<byte> line, out long size) =>
        Utf8Parser.TryParse(line, out size, out int digits, 'X')
        && size >= 0
        && line[digits] is (byte)'\r' or (byte)'\n' or (byte)';' or (byte)' ';

    private async ValueTask<bool> DiscardAsync(long count, CancellationToken cancellation)
    {
        while (true)
        {
            int taken = (int)Math.Min(count, _end - _start);
            _start += taken;
            count -= taken;
            if (count == 0)
            {
                return true;
            }

            if (!await ReceiveAsync(cancellation))
            {
                return false;
            }
        }
    }

    /// <summary>Bytes of the next line with its line feed, or -1.</summary>
    private async ValueTask<int> ReceiveLineAsync(CancellationToken cancellation)
    {
        while (true)
        {
            int at = _input.AsSpan(_start, _end - _start).IndexOf((byte)'\n');
            if (at >= 0)
            {
                return at + 1;
            }

            if (_end - _start > MaxChunkLineBytes || !await ReceiveAsync(cancellation))
            {
                return -1;
            }
        }
    }

    private async ValueTask<bool> ReceiveAsync(CancellationToken cancellation)
    {
        if (_start == _end)
        {
            _start = _end = 0;
        }
        else if (_end == _input.Length)
        {
            if (_start == 0)
            {
                Array.Resize(ref _input, _input.Length * 2);
            }

            _input.AsSpan(_start, _end - _start).CopyTo(_input);
            _end -= _start;
            _start = 0;
        }

        int count = await client.ReceiveAsync(_input.AsMemory(_end), cancellation);
        _end += count;
        return count > 0;
    }

    private int Compose(ReadOnlySpan<byte> head, WhoamiRequest request)
    {
        int capacity = _nameLine.Length + head.Length + 256;
        if (_output.Length < capacity)
        {
            _output = new byte[Math.Max(capacity, _output.Length * 2)];
        }

        int bodyLength = _nameLine.Length;
        foreach (Range line in WhoamiRequest.Lines(head))
        {
            bodyLength += head[line].Length + 1;
        }

        int length = Append(0, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"u8);
        length = Append(length, "Content-Length: "u8);
        Utf8Formatter.TryFormat(bodyLength, _output.AsSpan(length), out int digits);
        length = Append(
            length + digits,
            request.IsKeptAlive
                ? "\r\nConnection: keep-alive\r\n\r\n"u8
                : "\r\nConnection: close\r\n\r\n"u8);
        if (request.IsHead)
        {
            return length;
        }

        length = Append(length, _nameLine);
        foreach (Range line in WhoamiRequest.Lines(head))
        {
            length = Append(length, head[line]);
            length = Append(length, "\n"u8);
        }

        return length;
    }

    private int Append(int at, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_output.AsSpan(at));
        return at + bytes.Length;
    }

    private async ValueTask RejectAsync(CancellationToken cancellation)
    {
        await SendAsync(BadRequest, cancellation);
        client.Shutdown(SocketShutdown.Send);
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await client.SendAsync(bytes, cancellation)..];
        }
    }
}
