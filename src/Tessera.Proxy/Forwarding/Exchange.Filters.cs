using Tessera.Proxy.Answers;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Http;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Forwarding;

/// <summary>What is done to the body of an answer on its way: nginx's body filters.</summary>
internal sealed partial class Exchange
{
    /// <summary>Replaces texts in the body; null leaves them.</summary>
    public Substitution? Substitution { get; private set; }

    /// <summary>The client may get it in another coding, and is told so.</summary>
    public bool Varies { get; set; }

    /// <summary>Last-Modified and ETag no longer hold.</summary>
    public bool LosesValidators { get; private set; }

    /// <summary>The body changes on its way, so its length is not known.</summary>
    public bool IsFiltered => ReplyCoding != ContentCoding.Identity || Substitution is not null;

    /// <summary>A body of unknown length goes in chunks, else until the connection ends.</summary>
    public bool TakesChunks => Request is { MinorVersion: 1, IsSimple: false }
        && ClientRules is not { SendsChunks: false };

    /// <summary>How hard bodies are compressed: 1 to 9.</summary>
    public int CompressionLevel => Route!.Gzip?.Level ?? Route.Compression?.Level ?? 1;

    /// <summary>
    /// Decides what happens to the body, in nginx's order: texts are replaced, then it is
    /// compressed.
    /// </summary>
    /// <param name="type">With or without charset.</param>
    /// <param name="length">-1 when it is not known.</param>
    /// <param name="isCoded">It has a coding already.</param>
    public void PrepareFilters(
        int status, ReadOnlySpan<byte> type, long length, bool isCoded, in ProxiedFacts facts)
    {
        if (Route is not { } route || status is 204 or 206 or 304 or < 200)
        {
            return;
        }

        if (route.Substitution is { } rule && length != 0 && rule.Covers(type))
        {
            Substitution = rule.Begin(this);
            LosesValidators = Substitution is not null && !rule.KeepsLastModified;
        }

        long left = Substitution is null ? length : -1;
        if (route.Gzip is { } gzip && !isCoded && gzip.Covers(status, type, left))
        {
            Varies = gzip.SaysVary;
            bool isTaken = Client.Shard.Compressors.HasRoom && gzip.IsTakenBy(this, facts);
            ReplyCoding = isTaken ? ContentCoding.Gzip : ContentCoding.Identity;
        }
    }

    /// <summary>The line of ETag, weak where the body is not the same bytes any more.</summary>
    public void WriteETag(ref ByteWriter writer, scoped ReadOnlySpan<byte> etag)
    {
        if (etag.IsEmpty || LosesValidators)
        {
            return;
        }

        writer.Write("ETag: "u8);
        writer.Write(IsFiltered && etag[0] == '"' ? "W/"u8 : default);
        writer.Write(etag);
        writer.Write("\r\n"u8);
    }

    /// <summary>There is a body to be sent, whatever becomes of it.</summary>
    public bool SendsBody => Request.Method != HttpMethod.Head && Status is not (204 or 304);

    private void ResetFilters()
    {
        Substitution = null;
        Varies = false;
        LosesValidators = false;
    }
}
