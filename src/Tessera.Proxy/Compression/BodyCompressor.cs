using System.Buffers;
using System.IO.Compression;

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
/// Changes one body on its way, as <see cref="BodySteps"/> say, in pieces that are short enough for
/// a reactor. Its memory is about 300 KiB for gzip and 1 MiB for Brotli. Owned by one reactor.
/// </summary>
internal sealed class BodyCompressor : IDisposable
{
    /// <summary>
    /// Data of one step: some tenths of a millisecond, after which others get their turn.
    /// </summary>
    public const int StepBytes = 16 * 1_024;

    /// <summary>
    /// Compressed data of one step: it may become a thousand times as much.
    /// </summary>
    private const int InflatedStepBytes = 1_024;

    /// <summary>A window of 256 KiB: larger ones cost megabytes for each response.</summary>
    private const int BrotliWindowBits = 18;

    /// <summary>
    /// What nothing is when it is compressed (RFC 1952), of which <see cref="GZipStream"/> writes
    /// nothing at all.
    /// </summary>
    private static readonly byte[] EmptyMember =
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    private readonly GZipStream? _gzip;
    private bool _hasOutput;
    private readonly BodyStep[] _steps;
    private readonly MemoryStream[] _between;
    private readonly ContentCoding _coding;
    private BrotliEncoder _brotli;

    public BodyCompressor(in BodySteps steps, CompressedOutput output)
    {
        Output = output;
        _coding = steps.Coding;
        StepLength = steps.Inflates ? InflatedStepBytes : StepBytes;
        BodyStep? inflater = steps.Inflates ? new GzipInflater() : null;
        BodyStep?[] all = [inflater, steps.Substitution, steps.Recoding];
        _steps = [.. all.OfType<BodyStep>()];
        _between = _steps.Length == 0 ? [] : new MemoryStream[_steps.Length - 1];
        for (int i = 0; i < _between.Length; i++)
        {
            _between[i] = new MemoryStream();
        }

        if (_coding == ContentCoding.Gzip)
        {
            _gzip = new GZipStream(
                output, new ZLibCompressionOptions { CompressionLevel = steps.Level },
                leaveOpen: true);
        }
        else if (_coding == ContentCoding.Brotli)
        {
            _brotli = new BrotliEncoder(steps.Level, BrotliWindowBits);
        }
    }

    public CompressedOutput Output { get; }

    /// <summary>Bytes that it may take at once.</summary>
    public int StepLength { get; }

    /// <summary>
    /// Takes at most <see cref="StepLength"/>. False for a body that cannot be understood.
    /// </summary>
    public bool Write(ReadOnlySpan<byte> data, CompressionFlush flush)
    {
        if (_coding == ContentCoding.Brotli)
        {
            WriteBrotli(data, flush);
            return true;
        }

        Stream next = _gzip ?? (Stream)Output;
        bool isUnderstood = TryTakeSteps(data, flush == CompressionFlush.Finish, next);
        if (_gzip is null)
        {
            return isUnderstood;
        }

        if (flush == CompressionFlush.Flush)
        {
            _gzip.Flush();
        }
        else if (flush == CompressionFlush.Finish)
        {
            _gzip.Dispose();
            if (!_hasOutput && Output.Pending == 0)
            {
                Output.Write(EmptyMember);
            }
        }

        _hasOutput |= Output.Pending > 0;
        return isUnderstood;
    }

    public void Dispose()
    {
        _gzip?.Dispose();
        _brotli.Dispose();
        foreach (BodyStep step in _steps)
        {
            step.Dispose();
        }

        foreach (MemoryStream between in _between)
        {
            between.Dispose();
        }
    }

    private bool TryTakeSteps(ReadOnlySpan<byte> data, bool isLast, Stream next)
    {
        if (_steps.Length == 0)
        {
            next.Write(data);
            return true;
        }

        for (int i = 0; i < _between.Length; i++)
        {
            _between[i].SetLength(0);
            if (!_steps[i].TryWrite(data, isLast, _between[i]))
            {
                return false;
            }

            data = _between[i].GetBuffer().AsSpan(0, (int)_between[i].Length);
        }

        return _steps[^1].TryWrite(data, isLast, next);
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
