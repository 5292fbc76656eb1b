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
    private readonly MediaTypes _types;

    /// <exception cref="FormatException">A text has a variable that there is not.</exception>
    public AnswerStyle(AnswerConfig config)
    {
        Config = config;
        Signature = Encoding.UTF8.GetBytes(config.Server);
        ServerLine = config.Server.Length == 0
            ? []
            : Encoding.UTF8.GetBytes($"Server: {config.Server}\r\n");
        Charset = new CharsetRule(config);
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

    public CharsetRule Charset { get; }

    /// <summary>Null says nothing about it.</summary>
    public Expiry? Expiry { get; }

    public TrailerField[] Trailers { get; }

    /// <summary>
    /// Statuses whose answers get fields that are not for all (ngx_http_headers_filter).
    /// </summary>
    public static bool IsGood(int status) =>
        status is 200 or 201 or 204 or 206 or 301 or 302 or 303 or 304 or 307 or 308;

    /// <summary>An answer of that status has trailers, if it can have any.</summary>
    public bool SendsTrailers(int status) =>
        IsGood(status) ? Trailers.Length > 0 : Array.Exists(Trailers, t => t.IsAlways);

    /// <summary>By the extension of the path's last segment.</summary>
    public byte[] TypeOf(ReadOnlySpan<byte> path) => _types.Find(path);

    /// <summary>The type, with the charset behind it where it is one that gets it.</summary>
    public void WriteType(
        ref ByteWriter writer, scoped ReadOnlySpan<byte> type, Exchange exchange)
    {
        // Old browsers took a redirect's charset for that of the page behind it: nginx says none.
        var name = new ByteWriter(stackalloc byte[CharsetRule.MaxNameBytes]);
        int bareLength = type.Length;
        bool isSaid = exchange.Status is not (301 or 302) && Charset.TryChoose(
            exchange, type, exchange.IsCoded, ref name, out bareLength, out _);
        writer.Write(isSaid ? type[..bareLength] : type);
        if (isSaid)
        {
            writer.Write("; charset="u8);
            writer.Write(name.Written);
        }
    }
}

/// <summary>A field behind the last chunk (RFC 9112 section 7.1.2). Immutable.</summary>
internal sealed record TrailerField(byte[] Name, Template Value, bool IsAlways);
