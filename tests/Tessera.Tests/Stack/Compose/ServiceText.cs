using System.Text.Json;
using System.Text.Json.Nodes;

namespace Tessera.Tests.Stack.Compose;

/// <summary>Parts of a canonical service as short text, so that tables stay readable.</summary>
internal static class ServiceText
{
    private static readonly JsonSerializerOptions Compact = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The keys that <paramref name="like"/> names: <c>ports: … | scale: …</c>.</summary>
    public static string Pick(string canonicalJson, string service, string like)
    {
        JsonNode node = JsonNode.Parse(canonicalJson)!["services"]![service]!;
        return string.Join(" | ", like.Split(" | ").Select(part =>
        {
            string key = part[..part.IndexOf(':', StringComparison.Ordinal)];
            return $"{key}: {Print(key, node[key])}";
        }));
    }

    private static string Print(string key, JsonNode? value) => (key, value) switch
    {
        (_, null) => "",
        ("ports", JsonArray ports) => string.Join(' ', ports.Select(port =>
            $"{port!["published"]}>{port["target"]}/{port["protocol"]}")),
        ("volumes", JsonArray volumes) => string.Join(' ', volumes.Select(volume =>
            $"{volume!["source"]}>{volume["target"]}")),
        _ => value.ToJsonString(Compact),
    };
}
