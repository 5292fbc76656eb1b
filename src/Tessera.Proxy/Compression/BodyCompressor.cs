using System.Buffers;
using System.IO.Compression;
using Tessera.Proxy.Answers;

namespace Tessera.Proxy.Compression;

/// <summary>What becomes of the data so far.</summary>
internal enum CompressionFlush : byte
{
    /// <summary>The compressor may keep it until there is more.</summary>
    None,

    /// <summary>All of it can be read by who gets what is pending.</summary>
    Flush,

    /// <summary>The body ends.</summary>
    Finish,
}

/// <summary>
/// Compresses one body, perhaps with other texts in it, in steps that are short enough for a
/// reactor. Its memory is about 300 KiB
/// for gzip and 1 MiB for Brotli. Owned by one reactor.
/// </summary>
internal sealed class BodyCompressor : IDisposable
{
    /// <summary>
    /// Data of one step: some tenths of a millisecond, after which others get their turn.
    /// </summary>
    public const int StepBytes = 16 * 1_024;

    /// <summary>A window of 256 KiB: larger ones cost megabytes for each response.</summary>
    private const int BrotliWindowBits = 18;

    private readonly GZipStream? _gzip;
    private readonly Substitution? _substitution;
    private readonly ContentCoding _coding;
    private BrotliEncoder _brotli;

    /// <param name="level">1 to 9.</param>
    /// <param name="substitution">Done before; null changes nothing.</param>
    public BodyCompressor(
        ContentCoding coding, int level, CompressedOutput output,
        Substitution? substitution = null)
    {
        Output = output;
        _substitution = substitution;
        _coding = coding;
        if (coding == ContentCoding.Gzip)
        {
            _gzip = new GZipStream(
                output, new ZLibCompressionOptions { CompressionLevel = level }, leaveOpen: true);
        }
        else if (coding == ContentCoding.Brotli)
        {
            _brotli = new BrotliEncoder(level, BrotliWindowBits);
        }
    }

    public CompressedOutput Output { get; }

    /// <summary>Takes at most <see cref="StepBytes"/>.</summary>
    public void Write(ReadOnlySpan<byte> data, CompressionFlush flush)
    {
        if (_coding == ContentCoding.Brotli)
        {
            WriteBrotli(data, flush);
            return;
        }

        Stream next = _gzip ?? (Stream)Output;
        if (_substitution is null)
        {
            next.Write(data);
        }
        else
        {
            _substitution.Write(data, flush == CompressionFlush.Finish, next);
        }

        if (_gzip is null)
        {
            return;
        }

        if (flush == CompressionFlush.Flush)
        {
            _gzip.Flush();
        }
        else if (flush == CompressionFlush.Finish)
        {
            _gzip.Dispose();
        }
    }

    public void Dispose()
    {
        _gzip?.Dispose();
        _brotli.Dispose();
    }

    private void WriteBrotli(ReadOnlySpan<byte> data, CompressionFlush flush)
    {
        bool isLast = flush == CompressionFlush.Finish;
        OperationStatus status;
        do
        {
            status = _brotli.Compress(
                data, Output.GetRoom(StepBytes), out int consumed, out int written, isLast);
            Output.Advance(written);
            data = data[consumed..];
        }
        while (status == OperationStatus.DestinationTooSmall);

        while (flush == CompressionFlush.Flush)
        {
            status = _brotli.Flush(Output.GetRoom(StepBytes), out int written);
            Output.Advance(written);
            if (status != OperationStatus.DestinationTooSmall)
            {
                break;
            }
        }

        if (status == OperationStatus.InvalidData)
        {
            throw new InvalidOperationException("the Brotli encoder failed");
        }
    }
}
