namespace Tessera.Proxy.Compression;

/// <summary>
/// The compressors of one reactor, so many at once and no more: a response that finds none left
/// goes as it is. Owned by one reactor.
/// </summary>
internal sealed class CompressorStock
{
    /// <summary>At once; about 128 MiB when all of them are Brotli's.</summary>
    private const int MaxActive = 128;

    private const int MaxSpareOutputs = 8;

    private readonly Stack<CompressedOutput> _spare = new();
    private int _active;

    public bool HasRoom => _active < MaxActive;

    public BodyCompressor Rent(ContentCoding coding, int level) =>
        Rent(new BodySteps { Coding = coding, Level = level });

    public BodyCompressor Rent(in BodySteps steps)
    {
        _active++;
        return new BodyCompressor(
            steps, _spare.TryPop(out CompressedOutput? output) ? output : new());
    }

    public void Return(BodyCompressor compressor)
    {
        _active--;
        compressor.Dispose();
        CompressedOutput output = compressor.Output;
        output.Clear();
        if (_spare.Count < MaxSpareOutputs && !output.IsLarge)
        {
            _spare.Push(output);
        }
    }

    /// <summary>
    /// Compresses all of <paramref name="data"/> within this call: for what is short and asked for
    /// often. Empty when that makes it no smaller.
    /// </summary>
    public byte[] Compress(ReadOnlySpan<byte> data, ContentCoding coding, int level)
    {
        int original = data.Length;
        BodyCompressor compressor = Rent(coding, level);
        try
        {
            while (data.Length > BodyCompressor.StepBytes)
            {
                compressor.Write(data[..BodyCompressor.StepBytes], CompressionFlush.None);
                data = data[BodyCompressor.StepBytes..];
            }

            compressor.Write(data, CompressionFlush.Finish);
            ReadOnlySpan<byte> smaller = compressor.Output.Bytes;
            if (smaller.Length >= original)
            {
                return [];
            }

            byte[] bytes = GC.AllocateUninitializedArray<byte>(smaller.Length, pinned: true);
            smaller.CopyTo(bytes);
            return bytes;
        }
        finally
        {
            Return(compressor);
        }
    }
}
