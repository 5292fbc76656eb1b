using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Tessera.Cli;

/// <summary>
/// A canonical project (JSON) as text for people, whole or with some services only.
/// </summary>
internal static class CanonicalText
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static string ToJson(string canonicalJson, string[] services) =>
        Select(canonicalJson, services).ToJsonString(Indented) + "\n";

    public static string ToYaml(string canonicalJson, string[] services)
    {
        var text = new StringWriter { NewLine = "\n" };
        var emitter = new Emitter(
            text, new EmitterSettings().WithBestWidth(int.MaxValue).WithIndentedSequences());
        emitter.Emit(new StreamStart());
        emitter.Emit(new DocumentStart(null, null, isImplicit: true));
        Emit(emitter, Select(canonicalJson, services));
        emitter.Emit(new DocumentEnd(isImplicit: true));
        emitter.Emit(new StreamEnd());
        return text.ToString();
    }

    private static JsonNode Select(string canonicalJson, string[] services)
    {
        JsonNode root = JsonNode.Parse(canonicalJson)!;
        if (services.Length > 0 && root["services"] is JsonObject all)
        {
            foreach (string name in all.Select(pair => pair.Key).Except(services).ToArray())
            {
                all.Remove(name);
            }
        }

        return root;
    }

    private static void Emit(Emitter emitter, JsonNode? node)
    {
        switch (node)
        {
            case JsonObject map:
                emitter.Emit(new MappingStart(
                    AnchorName.Empty, TagName.Empty, isImplicit: true,
                    map.Count == 0 ? MappingStyle.Flow : MappingStyle.Block));
                foreach ((string key, JsonNode? value) in map)
                {
                    EmitString(emitter, key);
                    Emit(emitter, value);
                }

                emitter.Emit(new MappingEnd());
                break;
            case JsonArray list:
                emitter.Emit(new SequenceStart(
                    AnchorName.Empty, TagName.Empty, isImplicit: true,
                    list.Count == 0 ? SequenceStyle.Flow : SequenceStyle.Block));
                foreach (JsonNode? item in list)
                {
                    Emit(emitter, item);
                }

                emitter.Emit(new SequenceEnd());
                break;
            case JsonValue value when value.GetValueKind() == JsonValueKind.String:
                EmitString(emitter, value.GetValue<string>());
                break;
            default:
                EmitScalar(emitter, node?.ToJsonString() ?? "null", ScalarStyle.Plain);
                break;
        }
    }

    private static void EmitString(Emitter emitter, string text)
    {
        bool isBlock = text.Contains('\n', StringComparison.Ordinal) && !text.Any(IsUnprintable);
        EmitScalar(
            emitter,
            text,
            isBlock ? ScalarStyle.Literal
            : IsMistakable(text) ? ScalarStyle.DoubleQuoted
            : ScalarStyle.Any);
    }

    private static void EmitScalar(Emitter emitter, string text, ScalarStyle style) =>
        emitter.Emit(new Scalar(
            AnchorName.Empty, TagName.Empty, text, style,
            isPlainImplicit: true, isQuotedImplicit: true));

    private static bool IsUnprintable(char c) => char.IsControl(c) && c != '\n';

    /// <summary>
    /// Whether a YAML reader of either version would take the plain text for something else than a
    /// string: a number, a boolean, a null, a date, or 1.1's base 60 ("8080:80").
    /// </summary>
    private static bool IsMistakable(string text) =>
        text.Length == 0
        || char.IsAsciiDigit(text[0])
        || (text.Length > 1 && text[0] is '+' or '-' or '.' && text[1] is '.' or (>= '0' and <= '9'))
        || double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _)
        || Words.Contains(text.ToLowerInvariant());

    private static readonly string[] Words =
        ["null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", "-.inf", ".nan"];
}
