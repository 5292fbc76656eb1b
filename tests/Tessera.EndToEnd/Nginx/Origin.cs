using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace Tessera.EndToEnd.Nginx;

/// <summary>
/// A backend that keeps what it was sent, head and body as they came, and answers by a script.
/// Closed with all its connections when disposed.
/// </summary>
internal sealed partial class Origin : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _end = new();
    private readonly Func<string, string?> _answer;
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly Task _accepting;

    /// <param name="answer">
    /// The bytes for a request's head; null ends the connection without any. Whoever says
    /// "keep" in a path keeps its connection.
    /// </param>
    public Origin(int port, Func<string, string?> answer)
    {
        _answer = answer;
        _listener = new TcpListener(IPAddress.Loopback, port);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>What has come since the last call.</summary>
    public string TakeRequests()
    {
        var all = new StringBuilder();
        while (_requests.TryDequeue(out string? request))
        {
            all.Append(request).Append("\n---\n");
        }

        return all.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _accepting;
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                serving.Add(ServeAsync(await _listener.AcceptSocketAsync(_end.Token)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException
            or InvalidOperationException)
        {
            await Task.WhenAll(serving);
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using Socket socket = client;
        var received = new StringBuilder();
        byte[] buffer = new byte[64 * 1_024];
        try
        {
            while (true)
            {
                int length = await socket.ReceiveAsync(buffer, _end.Token);
                if (length == 0)
                {
                    return;
                }

                received.Append(Encoding.Latin1.GetString(buffer, 0, length));
                string text = received.ToString();
                if (!IsWhole(text))
                {
                    continue;
                }

                received.Clear();
                _requests.Enqueue(text);
                if (_answer(text) is not { } answer)
                {
                    return;
                }

                await socket.SendAsync(Encoding.Latin1.GetBytes(answer), _end.Token);
                if (!text.Split('\n')[0].Contains("keep", StringComparison.Ordinal))
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException
            or InvalidOperationException)
        {
            return;
        }
    }

    private static bool IsWhole(string text)
    {
        int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0)
        {
            return false;
        }

        Match length = ContentLength().Match(text[..(end + 2)]);
        return !length.Success
            || text.Length - end - 4 >= int.Parse(
                length.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"\r\nContent-Length: (\d+)\r\n", RegexOptions.IgnoreCase)]
    private static partial Regex ContentLength();
}
