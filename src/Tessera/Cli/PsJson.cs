using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tessera.Cli;

/// <summary>One line of <c>ps --format json</c>: Compose's names, then what is ours.</summary>
internal sealed record PsLine
{
    public required string ID { get; init; }
    public required string Name { get; init; }
    public required string Names { get; init; }
    public required string Project { get; init; }
    public required string Service { get; init; }
    public required string Command { get; init; }
    public required string State { get; init; }
    public required string Status { get; init; }
    public required string Health { get; init; }
    public required int ExitCode { get; init; }
    public required string CreatedAt { get; init; }
    public required string Ports { get; init; }
    public required ImmutableArray<PsPublisher> Publishers { get; init; }
    public required string Traffic { get; init; }
    public required string TrafficReason { get; init; }
    public required string Reason { get; init; }
    public required int? PID { get; init; }
    public required int Restarts { get; init; }
    public required string Address { get; init; }
    public required int InFlight { get; init; }
    public required long Requests { get; init; }
}

internal sealed record PsPublisher(string URL, int TargetPort, int PublishedPort, string Protocol);

[JsonSerializable(typeof(PsLine))]
internal sealed partial class PsJson : JsonSerializerContext
{
    /// <summary>Readable: what stands in a terminal or a file is not markup.</summary>
    private static readonly PsJson Readable = new(new JsonSerializerOptions
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    public static string Format(InstanceView view) => JsonSerializer.Serialize(
        new PsLine
        {
            ID = view.Id,
            Name = view.Name,
            Names = view.Name,
            Project = view.Project,
            Service = view.Service,
            Command = view.Command,
            State = view.State,
            Status = view.Status,
            Health = view.Health,
            ExitCode = view.ExitCode ?? 0,
            CreatedAt = view.CreatedAt.ToString("yyyy-MM-dd HH:mm:ss zzz 'UTC'",
                System.Globalization.CultureInfo.InvariantCulture),
            Ports = PsTable.FormatPorts(view.Publishers),
            Publishers = [.. view.Publishers.Select(port => new PsPublisher(
                port.Url, port.TargetPort, port.PublishedPort, port.Protocol))],
            Traffic = view.Traffic,
            TrafficReason = view.TrafficReason,
            Reason = view.Reason,
            PID = view.Pid,
            Restarts = view.Restarts,
            Address = view.Address,
            InFlight = view.InFlight,
            Requests = view.Requests,
        },
        Readable.PsLine);
}
