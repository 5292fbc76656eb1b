using System.Net;
using System.Net.Sockets;
using Tessera.Stack;

namespace Tessera.Whoami;

/// <summary>
/// Accepts connections and lets a <see cref="WhoamiConnection"/> serve each. Owned by one caller;
/// connections run on the thread pool and share nothing but immutable values.
/// </summary>
internal sealed class WhoamiServer : IDisposable
{
    private const int MaxConnections = 16_384;
    private const int Backlog = 1_024;

    private readonly Socket _listener;
    private readonly string _name;
    private readonly TimeSpan _delay;
    private readonly TimeProvider _time;
    private int _connections;

    /// <summary>Listens when it returns.</summary>
    /// <exception cref="UserErrorException">The address cannot be listened on.</exception>
    public WhoamiServer(IPEndPoint address, string name, TimeSpan delay, TimeProvider time)
    {
        _name = name;
        _delay = delay;
        _time = time;
        _listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            _listener.Bind(address);
            _listener.Listen(Backlog);
        }
        catch (SocketException fault)
        {
            _listener.Dispose();
            throw new UserErrorException(
                $"cannot listen on {address}: {fault.Message}", UserErrorException.Failed);
        }
    }

    public IPEndPoint Address => (IPEndPoint)_listener.LocalEndPoint!;

    /// <summary>
    /// Serves until cancelled; connections that are open then end with the process.
    /// </summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptAsync(cancellation);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException)
            {
                // The client left before it was accepted, or descriptors ran out for a moment.
                await Task.Delay(TimeSpan.FromMilliseconds(10), _time, CancellationToken.None);
                continue;
            }

            if (Interlocked.Increment(ref _connections) > MaxConnections)
            {
                Interlocked.Decrement(ref _connections);
                client.Dispose();
                continue;
            }

            _ = ServeAsync(client, cancellation);
        }
    }

    public void Dispose() => _listener.Dispose();

    private async Task ServeAsync(Socket client, CancellationToken cancellation)
    {
        using (client)
        {
            try
            {
                client.NoDelay = true;
                await new WhoamiConnection(client, _name, _delay, _time).RunAsync(cancellation);
            }
            catch (Exception fault) when (fault is SocketException or OperationCanceledException)
            {
                // It left, or we are leaving.
            }
            finally
            {
                Interlocked.Decrement(ref _connections);
            }
        }
    }
}
