using System.Globalization;
using System.Text;

namespace Tessera.Cli;

/// <summary>
/// The table of <c>ps</c>: docker compose's columns (without IMAGE, which processes have not), then
/// what a balancer and supervisor adds.
/// </summary>
internal sealed class PsTable(DateTimeOffset now, bool isWhole)
{
    private const int CommandWidth = 20;
    private const int ReasonWidth = 40;
    private const string Gap = "   ";

    private static readonly string[] Header =
        ["NAME", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS", "TRAFFIC", "PID", "RESTARTS"];

    public void Write(TextWriter output, IEnumerable<InstanceView> instances)
    {
        List<string[]> rows = [Header, .. instances.Select(ToRow)];
        int[] widths =
        [
            .. Enumerable.Range(0, Header.Length)
                .Select(column => rows.Max(row => row[column].Length)),
        ];
        foreach (string[] row in rows)
        {
            var line = new StringBuilder();
            for (int column = 0; column < row.Length; column++)
            {
                line.Append(row[column].PadRight(widths[column])).Append(Gap);
            }

            output.WriteLine(line.ToString().TrimEnd());
        }
    }

    /// <summary><c>0.0.0.0:8080->80/tcp</c>, as docker writes published ports.</summary>
    internal static string FormatPorts(IEnumerable<PublisherView> publishers) =>
        string.Join(", ", publishers.Select(port =>
        {
            string target = string.Create(
                CultureInfo.InvariantCulture, $"{port.TargetPort}/{port.Protocol}");
            return port.PublishedPort == 0
                ? target
                : string.Create(
                    CultureInfo.InvariantCulture, $"{HostOf(port)}:{port.PublishedPort}->{target}");
        }));

    private string[] ToRow(InstanceView view) =>
    [
        view.Name,
        Quote(Shorten(view.Command, CommandWidth)),
        view.Service,
        view.State == InstanceStates.External ? "" : AgeText.Of(now - view.CreatedAt) + " ago",
        FormatStatus(view),
        FormatPorts(view.Publishers),
        FormatTraffic(view),
        view.Pid?.ToString(CultureInfo.InvariantCulture) ?? "",
        view.Restarts.ToString(CultureInfo.InvariantCulture),
    ];

    private string FormatStatus(InstanceView view) =>
        view.State == InstanceStates.Fatal && view.Reason.Length > 0
            ? $"{view.Status} ({Shorten(view.Reason, ReasonWidth)})"
            : view.Status;

    private string FormatTraffic(InstanceView view) => view.TrafficReason.Length == 0
        ? view.Traffic
        : $"{view.Traffic} ({Shorten(view.TrafficReason, ReasonWidth)})";

    /// <summary>An IPv6 address needs brackets before its port.</summary>
    private static string HostOf(PublisherView port) =>
        port.Url.Contains(':', StringComparison.Ordinal) ? $"[{port.Url}]" : port.Url;

    private static string Quote(string text) => $"\"{text}\"";

    /// <summary>
    /// All lines as one, cut to <paramref name="width"/> unless all is wanted.
    /// </summary>
    private string Shorten(string text, int width)
    {
        string line = text.ReplaceLineEndings(" ");
        return isWhole || line.Length <= width ? line : line[..(width - 1)] + "…";
    }
}
