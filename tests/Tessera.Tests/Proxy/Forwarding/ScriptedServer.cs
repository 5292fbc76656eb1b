using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>
/// A server on loopback whose connections each run a script of the test. Everything it received is
/// kept, so that a test can assert on the very bytes.
/// </summary>
internal sealed class ScriptedServer : IDisposable
{
    private const int FirstPort = 10_000;
    private const int PortCount = 20_000;

    /// <summary>Where it begins keeps test programs that run side by side apart.</summary>
    private static int s_ports = Environment.ProcessId * 97;

    private readonly Socket _listener;
    private readonly Func<ScriptedConnection, Task> _script;
    private readonly ConcurrentBag<ScriptedConnection> _connections = [];
    private readonly CancellationTokenSource _end = new();
    private int _connectionCount;

    private ScriptedServer(Func<ScriptedConnection, Task> script, int port)
    {
        _script = script;
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        _listener.Listen(512);
        Address = (IPEndPoint)_listener.LocalEndPoint!;
        _ = AcceptAsync();
    }

    public IPEndPoint Address { get; }

    public int ConnectionCount => Volatile.Read(ref _connectionCount);

    /// <summary>Runs the script on each connection, and closes it when the script ends.</summary>
    public static ScriptedServer Start(Func<ScriptedConnection, Task> script, int port = 0) =>
        new(script, port);

    /// <summary>
    /// Answers each request of each connection with what <paramref name="reply"/> makes of its
    /// head.
    /// </summary>
    public static ScriptedServer Reply(Func<string, string> reply, int port = 0) => Start(
        async connection =>
        {
            while (await connection.ReadHeadAsync() is { Length: > 0 } head)
            {
                await connection.ReadBodyAsync(head);
                await connection.SendAsync(reply(head));
            }
        },
        port);

    /// <summary>Answers 200 with a body of its name.</summary>
    public static ScriptedServer Named(string name, int port = 0) =>
        Reply(_ => $"HTTP/1.1 200 OK\r\nContent-Length: {name.Length}\r\n\r\n{name}", port);

    /// <summary>
    /// A port on which nothing listens. It is none of those that the kernel gives to sockets which
    /// ask for any (ip_local_port_range, from 32768 on), and each is returned once: until the test
    /// uses it, and while it does not, neither another test nor an outgoing connection takes it.
    /// </summary>
    public static IPEndPoint UnusedAddress()
    {
        while (true)
        {
            uint number = (uint)Interlocked.Increment(ref s_ports);
            var address = new IPEndPoint(
                IPAddress.Loopback, FirstPort + (int)(number % PortCount));
            using var socket = new Socket(
                AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(address);
                return address;
            }
            catch (SocketException)
            {
                // Somebody else's.
            }
        }
    }

    /// <summary>Ends as a killed process does: port and connections at once, with resets.</summary>
    public void Dispose()
    {
        _end.Cancel();
        _listener.Dispose();
        foreach (ScriptedConnection connection in _connections)
        {
            connection.Reset();
        }
    }

    private async Task AcceptAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptAsync(_end.Token);
            }
            catch (Exception exception) when (exception is OperationCanceledException
                or SocketException or ObjectDisposedException)
            {
                return;
            }

            Interlocked.Increment(ref _connectionCount);
            var connection = new ScriptedConnection(socket);
            _connections.Add(connection);
            _ = RunAsync(connection);
        }
    }

    private async Task RunAsync(ScriptedConnection connection)
    {
        await Task.Yield();
        try
        {
            await _script(connection);
            connection.Close();
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            connection.Close();
        }
    }
}

/// <summary>One end of a connection in a test: a server's or a client's.</summary>
internal sealed class ScriptedConnection : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Socket _socket;
    private readonly List<byte> _unread = [];

    public ScriptedConnection(Socket socket)
    {
        _socket = socket;
        _socket.NoDelay = true;
    }

    public static async Task<ScriptedConnection> ConnectAsync(IPEndPoint address)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(address);
        return new ScriptedConnection(socket);
    }

    public int LocalPort => ((IPEndPoint)_socket.LocalEndPoint!).Port;

    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await _socket.SendAsync(bytes, patience.Token)..];
        }
    }

    /// <summary>A head with its empty line; "" when the peer ended before.</summary>
    public async Task<string> ReadHeadAsync()
    {
        while (true)
        {
            string text = Encoding.Latin1.GetString([.. _unread]);
            int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end >= 0)
            {
                _unread.RemoveRange(0, end + 4);
                return text[..(end + 4)];
            }

            if (!await ReceiveAsync())
            {
                return "";
            }
        }
    }

    /// <summary>The raw body that <paramref name="head"/> announces.</summary>
    public async Task<string> ReadBodyAsync(string head)
    {
        if (head.Contains("Transfer-Encoding: chunked", StringComparison.OrdinalIgnoreCase))
        {
            return await ReadUntilAsync("0\r\n\r\n");
        }

        const string Name = "\r\nContent-Length: ";
        int start = head.IndexOf(Name, StringComparison.OrdinalIgnoreCase);
        if (start < 0)
        {
            return "";
        }

        start += Name.Length;
        int end = head.IndexOf('\r', start);
        return await ReadAsync(int.Parse(
            head[start..end], System.Globalization.CultureInfo.InvariantCulture));
    }

    public async Task<string> ReadAsync(int length)
    {
        while (_unread.Count < length && await ReceiveAsync())
        {
        }

        return Take(Math.Min(length, _unread.Count));
    }

    public async Task<string> ReadUntilAsync(string end)
    {
        while (true)
        {
            int found = Encoding.Latin1.GetString([.. _unread]).IndexOf(
                end, StringComparison.Ordinal);
            if (found >= 0)
            {
                return Take(found + end.Length);
            }

            if (!await ReceiveAsync())
            {
                return Take(_unread.Count);
            }
        }
    }

    /// <summary>Everything until the peer ends its stream.</summary>
    public async Task<string> ReadToEndAsync()
    {
        while (await ReceiveAsync())
        {
        }

        return Take(_unread.Count);
    }

    /// <summary>Head and body of one response.</summary>
    public async Task<(string Head, string Body)> ReadResponseAsync()
    {
        string head = await ReadHeadAsync();
        return (head, await ReadBodyAsync(head));
    }

    /// <summary>Bytes received at once, for large bodies that are not kept; 0 at the end.</summary>
    public async Task<int> ReadSomeAsync(Memory<byte> buffer)
    {
        if (_unread.Count > 0)
        {
            int length = Math.Min(buffer.Length, _unread.Count);
            _unread.GetRange(0, length).ToArray().CopyTo(buffer);
            _unread.RemoveRange(0, length);
            return length;
        }

        using var patience = new CancellationTokenSource(Patience);
        return await _socket.ReceiveAsync(buffer, patience.Token);
    }

    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    public void Close() => _socket.Dispose();

    public void Reset()
    {
        try
        {
            _socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception exception) when (exception is ObjectDisposedException or SocketException)
        {
        }

        _socket.Dispose();
    }

    public void Dispose() => Close();

    private string Take(int length)
    {
        string text = Encoding.Latin1.GetString([.. _unread.GetRange(0, length)]);
        _unread.RemoveRange(0, length);
        return text;
    }

    /// <summary>False at the end of the stream; a reset throws.</summary>
    private async Task<bool> ReceiveAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        byte[] buffer = new byte[16 * 1_024];
        int received = await _socket.ReceiveAsync(buffer, patience.Token);
        _unread.AddRange(buffer.AsSpan(0, received));
        return received > 0;
    }
}
