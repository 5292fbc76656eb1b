using System.Globalization;

namespace Tessera.EndToEnd.Nginx.Generated;

/// <summary>What one connection was, with both programs' words on it.</summary>
/// <param name="Server">The server block that was asked.</param>
/// <param name="Nginx">Its answer, or its lines in the log.</param>
internal sealed record Disagreement(
    string Server, string Request, string Nginx, string Tessera);

/// <summary>
/// Differences that stay, each with its reason; nothing else may differ. Stateless.
/// </summary>
internal static class KnownDifferences
{
    private static readonly (string Reason, Func<Disagreement, bool> Covers)[] All =
    [
        ("nginx has refused fragments since 1.29.4, and took them before; so do we",
            difference => difference.Request.Split('\n')
                .Any(line => line.Contains(" HTTP/1.", StringComparison.Ordinal)
                    && line.Contains('#', StringComparison.Ordinal))),
        ("fields of one name are one value since nginx 1.23",
            difference => Count(difference.Request, "\r\nX-A: ") > 1
                && difference.Nginx.Contains('\t', StringComparison.Ordinal)),
        ("and so are those that were sent", IsAboutFieldsSentTwice),
        ("a text that fails its condition: nginx says keep-alive, closes, and calls it incomplete",
            difference => difference.Nginx.Contains("412", StringComparison.Ordinal)
                && difference.Tessera.Contains("412", StringComparison.Ordinal)),
        ("a folder that is a file where an index is looked for: nginx tells an alert and gives 500",
            difference => difference.Nginx.Contains("500", StringComparison.Ordinal)
                && difference.Server.Contains("alias html/a", StringComparison.Ordinal)),
        ("a length that is none: nginx looks at it when the head has ended, and counts all of it",
            difference => difference.Request.Contains(
                "Content-Length: x", StringComparison.Ordinal)),
        ("how a body is cut into chunks, which $body_bytes_sent counts: nginx makes them anew",
            difference => difference.Request.Contains("/p/chunked", StringComparison.Ordinal)
                && difference.Nginx.Contains('\t', StringComparison.Ordinal)),
        ("fields on 416: nginx adds those of the location twice, once for the 200 it was to be",
            difference => difference.Nginx.Contains("416", StringComparison.Ordinal)
                && difference.Tessera.Contains("416", StringComparison.Ordinal)),
        ("$args behind a redirect within: whether it is empty or not there is chance with nginx",
            IsAboutEmptyQuery),
        ("groups behind a rewrite that redirects: nginx escapes them again in what follows",
            difference => difference.Request.Contains('%', StringComparison.Ordinal)
                && (difference.Server.Contains(" redirect;", StringComparison.Ordinal)
                    || difference.Server.Contains(" permanent;", StringComparison.Ordinal))),
        ("chunks that break: what the log says of their length and of whom they were meant for",
            difference => difference.Request.Contains(
                    "\r\n\r\nx\r\n\r\n", StringComparison.Ordinal)
                && difference.Nginx.Contains('\t', StringComparison.Ordinal)),
        ("a request that goes in circles: how many of them $args has seen",
            difference => difference.Nginx.Contains("t=t=t=", StringComparison.Ordinal)),
        ("tabs around a value: they are no part of it (RFC 9110 section 5.5), and nginx keeps them",
            difference => difference.Request.Contains("X-Tab:", StringComparison.Ordinal)
                && !IsAboutStatus(difference)),
        ("a connection that a script drops: what nginx has not read of a body makes it a reset",
            difference => difference.Nginx == "<ConnectionReset>" && difference.Tessera == ""
                && difference.Server.Contains("return 444;", StringComparison.Ordinal)
                && difference.Request.Length > 1_024),
        ("an answer of the server's own script: nginx says keep-alive, and closes all the same",
            difference => difference.Server.Contains(
                    "keepalive_timeout 0;", StringComparison.Ordinal)
                && IsAboutKeeping(difference)),
        ("names of files that nginx writes from memory that is not theirs",
            difference => difference.Nginx.Contains(@"\x00\x00", StringComparison.Ordinal)),
        ("chunks that grow too large: how much of them was read before the 413",
            difference => difference.Nginx.Contains("\t413\t", StringComparison.Ordinal)
                && difference.Tessera.Contains("\t413\t", StringComparison.Ordinal)),
    ];

    public static bool Explain(Disagreement difference) =>
        Array.Exists(All, known => known.Covers(difference));

    private static bool IsAboutStatus(Disagreement difference) =>
        !difference.Nginx.Contains('\t', StringComparison.Ordinal)
        && difference.Nginx.Split('\n')[0] != difference.Tessera.Split('\n')[0];

    /// <summary>
    /// Nothing but the word for the connection, and in the log the bytes that it is longer by.
    /// </summary>
    private static bool IsAboutKeeping(Disagreement difference)
    {
        const string Kept = "Connection: keep-alive";
        const string Closed = "Connection: close";
        string[] nginx = difference.Nginx.Split('\t');
        string[] tessera = difference.Tessera.Split('\t');
        return nginx.Length > 1
            ? nginx.Length == tessera.Length
                && nginx.SkipLast(1).SequenceEqual(tessera.SkipLast(1))
                && TryRead(nginx[^1], out long all) && TryRead(tessera[^1], out long own)
                && all - own == Kept.Length - Closed.Length
            : difference.Nginx.Replace(Kept, Closed, StringComparison.Ordinal)
                == difference.Tessera.Replace(Kept, Closed, StringComparison.Ordinal);
    }

    private static bool TryRead(string text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    /// <summary>The value of the field is nginx's and further ones.</summary>
    private static bool IsAboutFieldsSentTwice(Disagreement difference) =>
        DiffersOnlyBy(difference, (i, nginx, tessera) =>
            i is 29 or 30 && tessera.StartsWith($"{nginx}, ", StringComparison.Ordinal));

    /// <summary>It is the seventh value of a line.</summary>
    private static bool IsAboutEmptyQuery(Disagreement difference) =>
        DiffersOnlyBy(difference, (i, nginx, tessera) =>
            i == 6 && nginx is "" or "-" && tessera is "" or "-");

    /// <summary>Lines of the log are alike but for some of their values; the first is 0.</summary>
    private static bool DiffersOnlyBy(
        Disagreement difference, Func<int, string, string, bool> isKnown)
    {
        string[] nginx = difference.Nginx.Split('\n');
        string[] tessera = difference.Tessera.Split('\n');
        return nginx.Length == tessera.Length && nginx.Zip(tessera).All(pair =>
        {
            string[] expected = pair.First.Split('\t');
            string[] actual = pair.Second.Split('\t');
            return expected.Length == actual.Length && expected.Zip(actual)
                .Select((value, i) => value.First == value.Second
                    || isKnown(i, value.First, value.Second))
                .All(isSame => isSame);
        });
    }

    private static int Count(string text, string part) => text.Split(part).Length - 1;
}
