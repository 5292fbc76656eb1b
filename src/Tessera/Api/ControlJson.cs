using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Tessera.Stack.Engines;

namespace Tessera.Api;

/// <summary>
/// The wire form of the control API: the records of <c>IController</c> in camel case, enums by
/// name. A missing or null member where the record wants one is an error, never a surprise further
/// in.
/// </summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(UpRequest))]
[JsonSerializable(typeof(DownRequest))]
[JsonSerializable(typeof(ChangeRequest))]
[JsonSerializable(typeof(LogQuery))]
[JsonSerializable(typeof(Progress))]
[JsonSerializable(typeof(ImmutableArray<InstanceView>))]
[JsonSerializable(typeof(LogLine))]
[JsonSerializable(typeof(InstanceEvent))]
[JsonSerializable(typeof(DaemonView))]
[JsonSerializable(typeof(ErrorBody))]
internal sealed partial class ControlJson : JsonSerializerContext;
