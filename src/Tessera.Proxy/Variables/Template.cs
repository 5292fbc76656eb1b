using System.Text;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Variables;

/// <summary>
/// A text with variables, <c>$name</c> or <c>${name}</c>, as nginx has them; <c>$$</c> is a dollar
/// sign. Parsed once, written for each request without allocating. Immutable.
/// </summary>
internal sealed class Template
{
    private readonly Part[] _parts;

    private Template(Part[] parts)
    {
        _parts = parts;
        LiteralBytes = parts.Sum(part => part.Literal?.Length ?? 0);
        VariableCount = parts.Count(part => part.Literal is null);
        UsesGroups = Array.Exists(
            parts, part => part.Literal is null && part.Variable.Variable == Variable.Group);
    }

    public static Template Empty { get; } = new([]);

    /// <summary>Always the same bytes.</summary>
    public static Template Of(ReadOnlySpan<byte> bytes) =>
        new([new Part(bytes.ToArray(), default)]);

    /// <summary>Bytes that it always writes.</summary>
    public int LiteralBytes { get; }

    public int VariableCount { get; }

    /// <summary>It names groups of the path's expression: $1 …</summary>
    public bool UsesGroups { get; }

    public bool IsEmpty => _parts.Length == 0;

    /// <summary>Literals and variables in their order, for who writes them differently.</summary>
    public ReadOnlySpan<Part> Parts => _parts;

    /// <summary>See <see cref="VariableName.IsOfReplyHead"/>.</summary>
    public bool IsOfReplyHead => Array.Exists(
        _parts, p => p.Literal is null && p.Variable.IsOfReplyHead);

    /// <summary>What is wrong with a text, as a sentence; null when nothing is.</summary>
    public static string? ProblemOf(string text)
    {
        try
        {
            Parse(text);
            return null;
        }
        catch (FormatException fault)
        {
            return fault.Message.TrimEnd('.') + '.';
        }
    }

    /// <exception cref="FormatException">There is no such variable.</exception>
    public static Template Parse(string text)
    {
        var parts = new List<Part>();
        var literal = new StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '$' || i + 1 == text.Length)
            {
                literal.Append(text[i]);
                continue;
            }

            if (text[i + 1] == '$')
            {
                literal.Append('$');
                i++;
                continue;
            }

            string name = ReadName(text, i + 1, out int end);
            if (literal.Length > 0)
            {
                parts.Add(new Part(Encoding.UTF8.GetBytes(literal.ToString()), default));
                literal.Clear();
            }

            parts.Add(new Part(null, VariableName.Parse(name)));
            i = end - 1;
        }

        if (literal.Length > 0)
        {
            parts.Add(new Part(Encoding.UTF8.GetBytes(literal.ToString()), default));
        }

        return new Template([.. parts]);
    }

    public void Write(ref ByteWriter writer, Exchange exchange)
    {
        foreach (Part part in _parts)
        {
            if (part.Literal is { } literal)
            {
                writer.Write(literal);
            }
            else
            {
                VariableValue.Write(part.Variable, ref writer, exchange);
            }
        }
    }

    private static string ReadName(string text, int start, out int end)
    {
        bool isBraced = text[start] == '{';
        int first = isBraced ? start + 1 : start;
        end = first;
        while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] == '_'))
        {
            end++;
        }

        // A group's number is one digit: nginx's $1x is the first group and an "x".
        if (!isBraced && end > first && char.IsAsciiDigit(text[first]))
        {
            end = first + 1;
        }

        string name = text[first..end];
        bool isClosed = !isBraced || (end < text.Length && text[end] == '}');
        if (name.Length == 0 || !isClosed)
        {
            throw new FormatException($"\"{text}\": a variable's name is missing after \"$\"");
        }

        end += isBraced ? 1 : 0;
        return name;
    }

    /// <param name="Literal">Null for a variable.</param>
    internal readonly record struct Part(byte[]? Literal, VariableName Variable);
}
