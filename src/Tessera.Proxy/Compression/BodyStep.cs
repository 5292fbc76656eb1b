using Tessera.Proxy.Answers;

namespace Tessera.Proxy.Compression;

/// <summary>
/// One thing that is done to a body on its way, which comes in pieces. Owned by one reactor.
/// </summary>
internal abstract class BodyStep : IDisposable
{
    /// <summary>
    /// Writes what is certain of the body so far, or all of it at its end. False for what cannot be
    /// understood.
    /// </summary>
    public abstract bool TryWrite(ReadOnlySpan<byte> data, bool isLast, Stream output);

    public abstract void Dispose();
}

/// <summary>
/// What is done to a body, in the order in which nginx's filters stand: it is decompressed, texts
/// are replaced, it is written in another charset, compressed. The default value does nothing.
/// </summary>
internal readonly record struct BodySteps
{
    /// <summary>It comes compressed by gzip, and leaves as it was before.</summary>
    public bool Inflates { get; init; }

    public Substitution? Substitution { get; init; }

    public Recoding? Recoding { get; init; }

    public ContentCoding Coding { get; init; }

    /// <summary>How hard it is compressed: 1 to 9.</summary>
    public int Level { get; init; }
}
