using System.Collections.Immutable;
using System.Text;
using Tessera.Proxy.Files;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Answers;

/// <summary>
/// How a route's answers look: its <see cref="AnswerConfig"/>, made ready once. Immutable.
/// </summary>
internal sealed class AnswerStyle
{
    /// <summary>Of a charset's name.</summary>
    private const int MaxCharsetBytes = 64;

    private readonly ImmutableArray<byte[]> _charsetTypes;
    private readonly bool _coversAllTypes;
    private readonly MediaTypes _types;

    /// <exception cref="FormatException">A text has a variable that there is not.</exception>
    public AnswerStyle(AnswerConfig config)
    {
        Config = config;
        Signature = Encoding.UTF8.GetBytes(config.Server);
        ServerLine = config.Server.Length == 0
            ? []
            : Encoding.UTF8.GetBytes($"Server: {config.Server}\r\n");
        Charset = config.Charset is null ? null : Template.Parse(config.Charset);
        _coversAllTypes = config.CharsetTypes.Contains("*");
        _charsetTypes = [.. config.CharsetTypes.Select(Encoding.ASCII.GetBytes)];
        _types = MediaTypes.Only(config.Types, config.DefaultType);
        Expiry = config.Expiry is null ? null : new Expiry(config.Expiry);
        Trailers = [.. config.Trailers.Select(t => new TrailerField(
            Encoding.ASCII.GetBytes(t.Name), Template.Parse(t.Value), t.Always))];
    }

    public AnswerConfig Config { get; }

    /// <summary>What the last line of a page says.</summary>
    public byte[] Signature { get; }

    /// <summary>With its CRLF, or empty.</summary>
    public byte[] ServerLine { get; }

    /// <summary>Null says no charset.</summary>
    public Template? Charset { get; }

    /// <summary>Null says nothing about it.</summary>
    public Expiry? Expiry { get; }

    public TrailerField[] Trailers { get; }

    /// <summary>By the extension of the path's last segment.</summary>
    public byte[] TypeOf(ReadOnlySpan<byte> path) => _types.Find(path);

    /// <summary>The type, with the charset behind it where it is one that gets it.</summary>
    public void WriteType(
        ref ByteWriter writer, scoped ReadOnlySpan<byte> type, Exchange exchange)
    {
        writer.Write(type);

        // Old browsers took a redirect's charset for that of the page behind it: nginx says none.
        if (Charset is null || exchange.Status is 301 or 302 || !TakesCharset(type))
        {
            return;
        }

        var name = new ByteWriter(stackalloc byte[MaxCharsetBytes]);
        Charset.Write(ref name, exchange);
        if (name.Length > 0 && !name.HasOverflowed && !name.Written.SequenceEqual("off"u8))
        {
            writer.Write("; charset="u8);
            writer.Write(name.Written);
        }
    }

    private bool TakesCharset(ReadOnlySpan<byte> type)
    {
        if (_coversAllTypes)
        {
            return !type.Contains((byte)';');
        }

        foreach (byte[] covered in _charsetTypes)
        {
            if (covered.Length == type.Length && Ascii.EqualsIgnoreCase(covered, type))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>A field behind the last chunk (RFC 9112 section 7.1.2). Immutable.</summary>
internal sealed record TrailerField(byte[] Name, Template Value, bool IsAlways);
