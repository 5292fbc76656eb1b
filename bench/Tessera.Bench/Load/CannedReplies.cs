using System.Text;

namespace Tessera.Bench.Load;

/// <summary>The replies of the canned backend, one for each size of a scenario.</summary>
internal static class CannedReplies
{
    public const int SmallBodyBytes = 45;

    /// <summary>
    /// Stands first in the path of a request for that size: the backend looks at nothing else.
    /// </summary>
    private static readonly (char Mark, int BodyBytes)[] Sizes =
    [
        ('s', SmallBodyBytes), ('k', 1_024), ('L', 64 * 1_024), ('M', 1_024 * 1_024),
    ];

    private static readonly byte[]?[] Replies = CreateReplies();

    public static IEnumerable<int> BodySizes => Sizes.Select(size => size.BodyBytes);

    public static string PathOf(int bodyBytes) =>
        $"/{Sizes.First(size => size.BodyBytes == bodyBytes).Mark}";

    /// <param name="request">The beginning of a "GET /…".</param>
    public static byte[] For(ReadOnlySpan<byte> request) =>
        (request.Length > 5 ? Replies[request[5] & 0x7F] : null) ?? Replies['s']!;

    private static byte[]?[] CreateReplies()
    {
        var replies = new byte[]?[128];
        foreach ((char mark, int bodyBytes) in Sizes)
        {
            replies[mark] = Encoding.ASCII.GetBytes(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                + $"Content-Length: {bodyBytes}\r\n\r\n{new string('x', bodyBytes)}");
        }

        return replies;
    }
}
