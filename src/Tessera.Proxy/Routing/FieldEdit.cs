using System.Collections.Immutable;
using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>
/// What a route does to the header fields of messages that pass: which it takes away, which it
/// writes. Immutable.
/// </summary>
internal sealed class FieldEdit
{
    /// <summary>Values that are not in the request's head: addresses, numbers.</summary>
    private const int MaxOwnBytes = 1_024;

    private readonly byte[][] _dropped;
    private readonly Line[] _lines;

    private FieldEdit(IEnumerable<string> dropped, IEnumerable<FieldConfig> lines)
    {
        _dropped = [.. dropped.Select(Encoding.ASCII.GetBytes)];
        _lines = [.. lines.Select(line => new Line(
            Encoding.ASCII.GetBytes(line.Name), Template.Parse(line.Value), line.Always))];
        UsesGroups = Array.Exists(_lines, line => line.Value.UsesGroups);
    }

    /// <summary>Values name groups of the path's expression.</summary>
    public bool UsesGroups { get; }

    /// <summary>Fields that are set take the place of the client's.</summary>
    public static FieldEdit? OfRequest(ImmutableArray<FieldConfig> fields) => fields.IsEmpty
        ? null
        : new FieldEdit(
            fields.Select(field => field.Name), fields.Where(field => field.Value.Length > 0));

    /// <summary>Fields without a value take the endpoint's away; others are added.</summary>
    public static FieldEdit? OfResponse(ImmutableArray<FieldConfig> fields) => fields.IsEmpty
        ? null
        : new FieldEdit(
            fields.Where(field => field.Value.Length == 0).Select(field => field.Name),
            fields.Where(field => field.Value.Length > 0 || IsValidator(field.Name)));

    /// <summary>A field of which an answer has one at most.</summary>
    public static bool IsValidator(string name) =>
        name.Equals("Last-Modified", StringComparison.OrdinalIgnoreCase)
        || name.Equals("ETag", StringComparison.OrdinalIgnoreCase);

    /// <summary>Names are compared without regard to letter case (RFC 9110 section 5.1).</summary>
    public bool Drops(ReadOnlySpan<byte> name)
    {
        foreach (byte[] dropped in _dropped)
        {
            if (dropped.Length == name.Length && Ascii.EqualsIgnoreCase(dropped, name))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>No set of lines is longer, whatever its variables hold.</summary>
    /// <param name="headBytes">Length of the request's head.</param>
    public int MaxBytes(int headBytes)
    {
        int sum = 0;
        foreach (Line line in _lines)
        {
            sum += line.Name.Length + 4 + line.Value.LiteralBytes
                + (line.Value.VariableCount * (headBytes + MaxOwnBytes));
        }

        return sum;
    }

    /// <summary>Writes whole lines; one whose value is empty is left out.</summary>
    public void Write(ref ByteWriter writer, Exchange exchange)
    {
        foreach (Line line in _lines)
        {
            int start = writer.Length;
            writer.Write(line.Name);
            writer.Write(": "u8);
            int value = writer.Length;
            line.Value.Write(ref writer, exchange);
            writer.RemoveControls(value);
            if (writer.Length == value)
            {
                writer.Truncate(start);
                continue;
            }

            writer.Write("\r\n"u8);
        }
    }

    /// <summary>Adds the lines to a response; nginx's rule without <c>always</c>.</summary>
    /// <param name="scratch">For one value; a longer one gets a buffer of its own.</param>
    public void AddTo(Exchange exchange, Span<byte> scratch)
    {
        bool isGood = Answers.AnswerStyle.IsGood(exchange.Status);
        foreach (Line line in _lines)
        {
            if (line.Always || isGood)
            {
                // As with nginx there is one of these (ngx_http_set_last_modified).
                exchange.ReplacesLastModified |= IsNamed(line, "Last-Modified"u8);
                exchange.ReplacesETag |= IsNamed(line, "ETag"u8);
                var writer = new ByteWriter(scratch);
                line.Value.Write(ref writer, exchange);
                if (writer.HasOverflowed)
                {
                    using var text = EvaluatedText.Of(line.Value, exchange);
                    exchange.TryAddField(line.Name, text.Text);
                }
                else if (writer.Length > 0)
                {
                    exchange.TryAddField(line.Name, writer.Written);
                }
            }
        }
    }

    private static bool IsNamed(Line line, ReadOnlySpan<byte> name) =>
        line.Name.Length == name.Length && Ascii.EqualsIgnoreCase(line.Name, name);

    private sealed record Line(byte[] Name, Template Value, bool Always);
}
