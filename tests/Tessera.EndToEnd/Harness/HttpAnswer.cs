using System.Globalization;
using System.Text;

namespace Tessera.EndToEnd.Harness;

/// <summary>One HTTP/1 response as it came, interim responses left out.</summary>
/// <param name="Head">Status line and fields, without the empty line, CRLF between them.</param>
/// <param name="Body">Without its framing; empty when it was only counted.</param>
public sealed record HttpAnswer(int Status, string Head, byte[] Body, long BodyLength)
{
    public string Text => Encoding.UTF8.GetString(Body);

    /// <summary>What <c>tessera whoami</c> and the test applications name themselves.</summary>
    public string Instance
    {
        get
        {
            int end = Array.IndexOf(Body, (byte)'\n');
            string line = Encoding.UTF8.GetString(Body, 0, Math.Max(end, 0)).TrimEnd('\r');
            return line.StartsWith("Instance: ", StringComparison.Ordinal) ? line[10..] : "";
        }
    }

    public bool KeepAlive => !(Header("Connection") ?? "").Contains(
        "close", StringComparison.OrdinalIgnoreCase);

    /// <summary>The first field of that name; null without one.</summary>
    public string? Header(string name) => FindHeader(Head, name);

    /// <summary>
    /// The line of a request's head as the application echoed it; null without one.
    /// </summary>
    public string? EchoedHeader(string name) => FindHeader(Text.Replace("\r\n", "\n",
        StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal), name);

    public static string? FindHeader(string head, string name)
    {
        foreach (string line in head.Split("\r\n"))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0 && line[..colon].Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                return line[(colon + 1)..].Trim();
            }
        }

        return null;
    }

    public static int ParseStatus(string head)
    {
        if (!head.StartsWith("HTTP/1.", StringComparison.Ordinal) || head.Length < 12)
        {
            throw new InvalidDataException(
                "not an HTTP response: " + head[..Math.Min(head.Length, 60)]);
        }

        return int.Parse(head.AsSpan(9, 3), CultureInfo.InvariantCulture);
    }
}
