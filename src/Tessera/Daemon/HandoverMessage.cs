using System.Collections.Immutable;
using System.Text.Json.Serialization;

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
}

/// <summary>One message between two daemons, as JSON; descriptors travel beside it.</summary>
/// <param name="Protocol">Grows when the steps or their meaning change.</param>
/// <param name="Version">The sender's, for people.</param>
/// <param name="Reason">Why it was refused.</param>
/// <param name="Addresses">What the descriptors listen on, in their order.</param>
internal sealed record HandoverMessage(
    HandoverStep Step,
    int Protocol,
    string Version,
    string Reason,
    ImmutableArray<string> Addresses)
{
    /// <summary>Two daemons with different ones do not hand over to each other.</summary>
    public const int CurrentProtocol = 1;

    public static HandoverMessage Of(HandoverStep step) =>
        new(step, CurrentProtocol, ProgramVersion.Text, "", []);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(HandoverMessage))]
internal sealed partial class HandoverJson : JsonSerializerContext;
