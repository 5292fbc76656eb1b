using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>
/// A backend of datagrams: answers each with the sender's port and with what it was sent, or as a
/// test says. Closed when disposed.
/// </summary>
internal sealed class DatagramServer : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly Socket _socket = new(
        AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);

    private readonly Func<string, int, string[]> _reply;
    private readonly Task _serving;

    /// <param name="reply">The answers to a text from a port.</param>
    public DatagramServer(Func<string, int, string[]>? reply = null)
    {
        _reply = reply ?? ((text, port) =>
            [port.ToString(CultureInfo.InvariantCulture) + ":" + text]);
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _serving = ServeAsync();
    }

    public IPEndPoint Address => (IPEndPoint)_socket.LocalEndPoint!;

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _serving;
        _socket.Dispose();
        _end.Dispose();
    }

    private async Task ServeAsync()
    {
        byte[] buffer = new byte[65_536];
        try
        {
            while (true)
            {
                SocketReceiveFromResult asked = await _socket.ReceiveFromAsync(
                    buffer, new IPEndPoint(IPAddress.Any, 0), _end.Token);
                string text = Encoding.Latin1.GetString(buffer, 0, asked.ReceivedBytes);
                foreach (string answer in
                    _reply(text, ((IPEndPoint)asked.RemoteEndPoint).Port))
                {
                    await _socket.SendToAsync(
                        Encoding.Latin1.GetBytes(answer), asked.RemoteEndPoint, _end.Token);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }
}
