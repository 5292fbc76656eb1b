using System.Text;

namespace Tessera.Bench.Load;

/// <summary>The two requests that the load generator sends and the replies they get.</summary>
internal static class CannedReplies
{
    public const int SmallBodyBytes = 45;

    public const int LargeBodyBytes = 64 * 1_024;

    /// <summary>
    /// Stands first in the path of a request for the large body: the backend looks at nothing else.
    /// </summary>
    private const char LargeMark = 'L';

    public static byte[] Small { get; } = Reply(SmallBodyBytes);

    public static byte[] Large { get; } = Reply(LargeBodyBytes);

    public static byte[] Request(int bodyBytes) => Encoding.ASCII.GetBytes(
        $"GET /{(bodyBytes == LargeBodyBytes ? LargeMark : 's')} HTTP/1.1\r\n"
        + "Host: bench.example\r\nUser-Agent: tessera-bench\r\nAccept: */*\r\n\r\n");

    /// <param name="request">The beginning of a "GET /…".</param>
    public static byte[] For(ReadOnlySpan<byte> request) =>
        request.Length > 5 && request[5] == LargeMark ? Large : Small;

    private static byte[] Reply(int bodyBytes) => Encoding.ASCII.GetBytes(
        $"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {bodyBytes}\r\n\r\n"
        + new string('x', bodyBytes));
}
