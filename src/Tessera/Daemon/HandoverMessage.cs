using System.Collections.Immutable;
using System.Net;
using System.Text.Json.Serialization;
using Tessera.Proxy;

namespace Tessera.Daemon;

/// <summary>The steps of a hand-over, in their order.</summary>
internal enum HandoverStep
{
    /// <summary>Successor: asks for everything.</summary>
    Hello,

    /// <summary>Predecessor: no, and why; it goes on as if nothing had been asked.</summary>
    Refused,

    /// <summary>Predecessor: listening sockets, one descriptor for each address.</summary>
    Listeners,

    /// <summary>
    /// Predecessor: no instance is watched here any more; with it comes the state folder's lock.
    /// </summary>
    Released,

    /// <summary>Successor: instances are taken over, it would accept now.</summary>
    Serving,

    /// <summary>Predecessor: it is yours. From here on there is no way back.</summary>
    Yours,

    /// <summary>
    /// Successor, as long as the predecessor lingers: where a backend's requests go now.
    /// </summary>
    Endpoints,
}

/// <summary>One message between two daemons, as JSON; descriptors travel beside it.</summary>
/// <param name="Protocol">Grows when the steps or their meaning change.</param>
/// <param name="Version">The sender's, for people.</param>
/// <param name="Reason">Why it was refused.</param>
/// <param name="Addresses">What the descriptors listen on, in their order.</param>
/// <param name="Backend">Whose endpoints follow; the reason is why it has none.</param>
internal sealed record HandoverMessage(
    HandoverStep Step,
    int Protocol,
    string Version,
    string Reason,
    ImmutableArray<string> Addresses,
    string Backend = "",
    ImmutableArray<HandoverEndpoint>? Endpoints = null)
{
    /// <summary>Two daemons with different ones do not hand over to each other.</summary>
    public const int CurrentProtocol = 1;

    public static HandoverMessage Of(HandoverStep step) =>
        new(step, CurrentProtocol, ProgramVersion.Text, "", []);
}

/// <summary>One endpoint of a backend: all of <see cref="EndpointConfig"/>.</summary>
internal sealed record HandoverEndpoint(
    string Id,
    string Address,
    int Weight,
    EndpointState State,
    string? Place = null,
    bool IsBackup = false,
    int MaxConnections = 0,
    int? MaxFails = null,
    int FailTimeoutMs = 10_000,
    int SlowStartMs = 0)
{
    public static HandoverEndpoint Of(EndpointConfig endpoint) => new(
        endpoint.Id,
        endpoint.Address.ToString(),
        endpoint.Weight,
        endpoint.State,
        endpoint.Place,
        endpoint.IsBackup,
        endpoint.MaxConnections,
        endpoint.MaxFails,
        endpoint.FailTimeoutMs,
        endpoint.SlowStartMs);

    public EndpointConfig ToConfig() => new()
    {
        Id = Id,
        Address = IPEndPoint.Parse(Address),
        Weight = Weight,
        State = State,
        Place = Place,
        IsBackup = IsBackup,
        MaxConnections = MaxConnections,
        MaxFails = MaxFails,
        FailTimeoutMs = FailTimeoutMs,
        SlowStartMs = SlowStartMs,
    };
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(HandoverMessage))]
internal sealed partial class HandoverJson : JsonSerializerContext;
