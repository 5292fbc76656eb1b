using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Model;

/// <summary>
/// The canonical document as JSON. A dollar sign is written twice, as Compose does, so that the
/// text is a Compose file again.
/// </summary>
internal static class DocumentJson
{
    private static readonly JsonWriterOptions Format = new()
    {
        Indented = true,
        IndentSize = 2,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = 2 * YamlReader.MaxDepth,
    };

    public static string Write(Node document)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter writer = new(buffer, Format))
        {
            Write(document, writer);
        }

        string text = Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
        return text.Replace("$", "$$", StringComparison.Ordinal);
    }

    /// <exception cref="UserErrorException">Not what <see cref="Write(Node)"/> prints.</exception>
    public static MappingNode Read(string text)
    {
        if (text.Contains("\\u0000", StringComparison.Ordinal))
        {
            throw new UserErrorException("the project's document has the character NUL in it.");
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(
                text.Replace("$$", "$", StringComparison.Ordinal),
                new JsonDocumentOptions { MaxDepth = 2 * YamlReader.MaxDepth });
            return Read(document.RootElement) as MappingNode
                ?? throw new UserErrorException("the project's document is not a JSON object.");
        }
        catch (Exception problem) when (problem is JsonException or ArgumentException)
        {
            throw new UserErrorException($"the project's document is not valid JSON: " +
            $"{problem.Message}");
        }
    }

    private static void Write(Node node, Utf8JsonWriter writer)
    {
        switch (node)
        {
            case MappingNode mapping:
                writer.WriteStartObject();
                foreach (MappingEntry entry in mapping.Entries)
                {
                    writer.WritePropertyName(entry.Key);
                    Write(entry.Value, writer);
                }

                writer.WriteEndObject();
                break;
            case SequenceNode list:
                writer.WriteStartArray();
                foreach (Node item in list.Items)
                {
                    Write(item, writer);
                }

                writer.WriteEndArray();
                break;
            case ScalarNode scalar:
                Write(scalar, writer);
                break;
        }
    }

    private static void Write(ScalarNode scalar, Utf8JsonWriter writer)
    {
        switch (scalar.Value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case long number:
                writer.WriteNumberValue(number);
                break;
            case double number when double.IsFinite(number):
                writer.WriteNumberValue(number);
                break;
            default:
                writer.WriteStringValue(scalar.ToText());
                break;
        }
    }

    private static Node Read(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                MappingNode mapping = new(SourcePosition.None);
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    mapping.Set(property.Name, Read(property.Value));
                }

                return mapping;
            case JsonValueKind.Array:
                return new SequenceNode(SourcePosition.None, element.EnumerateArray().Select(Read));
            case JsonValueKind.True or JsonValueKind.False:
                return ScalarNode.Of(SourcePosition.None, element.GetBoolean());
            case JsonValueKind.Number when element.TryGetInt64(out long integer):
                return ScalarNode.Of(SourcePosition.None, integer);
            case JsonValueKind.Number:
                return ScalarNode.Of(SourcePosition.None, element.GetDouble());
            case JsonValueKind.Null:
                return ScalarNode.Null(SourcePosition.None);
            default:
                return new ScalarNode(SourcePosition.None, element.GetString() ?? "");
        }
    }
}
