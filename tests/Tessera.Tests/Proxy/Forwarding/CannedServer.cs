using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>
/// Answers each request head with the same bytes, as quickly as it can. Bodies must not have an
/// empty line.
/// </summary>
internal sealed class CannedServer : IDisposable
{
    private static readonly byte[] HeadEnd = "\r\n\r\n"u8.ToArray();

    private readonly Socket _listener =
        new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private readonly byte[] _answer;

    private CannedServer(string answer)
    {
        _answer = Encoding.ASCII.GetBytes(answer);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(512);
        Address = (IPEndPoint)_listener.LocalEndPoint!;
        _ = AcceptAsync();
    }

    public IPEndPoint Address { get; }

    public static CannedServer Start(string answer) => new(answer);

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                _ = ServeAsync(await _listener.AcceptAsync());
            }
            catch (Exception exception)
                when (exception is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    /// <summary>One request at a time, as a proxy sends them.</summary>
    private async Task ServeAsync(Socket socket)
    {
        using Socket served = socket;
        served.NoDelay = true;
        byte[] buffer = new byte[16 * 1_024];
        int kept = 0;
        try
        {
            while (await served.ReceiveAsync(buffer.AsMemory(kept)) is > 0 and int received)
            {
                kept += received;
                if (buffer.AsSpan(0, kept).IndexOf(HeadEnd) >= 0)
                {
                    kept = 0;
                    await served.SendAsync(_answer);
                }
            }
        }
        catch (SocketException)
        {
            // The proxy closed it.
        }
    }
}
