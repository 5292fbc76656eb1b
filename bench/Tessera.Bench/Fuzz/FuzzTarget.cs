using System.Buffers;
using Tessera.Proxy.Files;
using Tessera.Proxy.Http;

namespace Tessera.Bench.Fuzz;

/// <summary>A parser and what must hold of it for any input.</summary>
/// <param name="Name">Also the folder of its seeds.</param>
/// <param name="Check">
/// Throws when something does not hold; the random numbers say where the input is cut.
/// </param>
internal sealed record FuzzTarget(string Name, Action<byte[], Random> Check)
{
    private const int MaxHeadBytes = 4 * 1_024;
    private const int MaxHeaders = 32;

    private static readonly SearchValues<byte> LineEnds = SearchValues.Create("\r\n\0"u8);

    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("request", CheckRequest),
        new("response", CheckResponse),
        new("chunked", CheckChunked),
        new("range", CheckRange),
    ];

    /// <summary>However the bytes are cut, the head is the same one, within them.</summary>
    private static void CheckRequest(byte[] input, Random random)
    {
        var whole = new RequestHead(MaxHeaders);
        ParseStatus status = whole.Parse(input, MaxHeadBytes);
        var pieces = new RequestHead(MaxHeaders);
        ParseStatus statusOfPieces = InPieces(
            input, random, received => pieces.Parse(received.Span, MaxHeadBytes));
        Require(status == statusOfPieces, $"{status} as a whole, {statusOfPieces} in pieces");
        Require(whole.ErrorStatus == pieces.ErrorStatus, "another status in pieces");
        if (status != ParseStatus.Complete)
        {
            return;
        }

        Require(whole.Length == pieces.Length, "another length in pieces");
        Require(whole.HeaderCount == pieces.HeaderCount, "other fields in pieces");
        Require(whole.Length <= input.Length, "the head ends behind the input");
        CheckFields(input, whole.Headers.AsSpan(0, whole.HeaderCount), whole.Length);
        ReadOnlySpan<byte> target = input.AsSpan(whole.TargetStart, whole.TargetLength);
        Require(!target.ContainsAny(LineEnds) && !target.Contains((byte)' '), "a bad target");
        Require(
            whole.ContentLength < 0 || !whole.IsChunked, "a length and chunks at the same time");
        ReadOnlySpan<byte> path = input.AsSpan(whole.PathStart, whole.PathLength);
        byte[] normal = new byte[path.Length];
        if (PathNormalizer.TryNormalize(path, normal, out int length))
        {
            CheckPath(normal.AsSpan(0, length));
        }
    }

    private static void CheckPath(ReadOnlySpan<byte> path)
    {
        Require(path.IsEmpty || path[0] == '/', "a path without root");
        Require(path.IndexOf("//"u8) < 0 && !path.Contains((byte)0), "a path that is not normal");
        foreach (Range segment in path.Split((byte)'/'))
        {
            Require(!path[segment].SequenceEqual(".."u8), "a path that climbs");
        }
    }

    private static void CheckResponse(byte[] input, Random random)
    {
        var whole = new ResponseHead(MaxHeaders);
        ParseStatus status = whole.Parse(input, MaxHeadBytes);
        var pieces = new ResponseHead(MaxHeaders);
        ParseStatus statusOfPieces = InPieces(
            input, random, received => pieces.Parse(received.Span, MaxHeadBytes));
        Require(status == statusOfPieces, $"{status} as a whole, {statusOfPieces} in pieces");
        if (status != ParseStatus.Complete)
        {
            return;
        }

        Require(whole.Length == pieces.Length, "another length in pieces");
        Require(whole.StatusCode is >= 100 and <= 999, "a status that is none");
        CheckFields(input, whole.Headers.AsSpan(0, whole.HeaderCount), whole.Length);
    }

    private static void CheckFields(
        byte[] input, ReadOnlySpan<HeaderField> fields, int headLength)
    {
        foreach (ref readonly HeaderField field in fields)
        {
            Require(field.End <= headLength, "a field ends behind the head");
            Require(field.NameLength > 0, "a field without a name");
            Require(!field.Value(input).ContainsAny(LineEnds), "a line end within a value");
        }
    }

    /// <summary>Cut anywhere, the framing ends at the same byte and gives the same data.</summary>
    private static void CheckChunked(byte[] input, Random random)
    {
        var whole = default(ChunkedDecoder);
        ChunkStatus status = whole.Advance(input, out int consumed);
        Require(consumed <= input.Length, "more was taken than there is");

        var pieces = default(ChunkedDecoder);
        ChunkStatus statusOfPieces = ChunkStatus.NeedMore;
        int at = 0;
        long data = 0;
        while (at < input.Length && statusOfPieces == ChunkStatus.NeedMore)
        {
            int length = Math.Min(random.Next(1, 9), input.Length - at);
            statusOfPieces = pieces.Next(
                input.AsSpan(at, length), out int taken, out int start, out int dataLength);
            Require(taken <= length && start + dataLength <= taken, "data lies outside");
            data += dataLength;
            at += taken;
            Require(
                taken > 0 || statusOfPieces != ChunkStatus.NeedMore, "nothing was taken, for ever");
        }

        Require(status == statusOfPieces, $"{status} as a whole, {statusOfPieces} in pieces");
        Require(consumed == at, $"{consumed} bytes as a whole, {at} in pieces");
        Require(data <= pieces.AnnouncedBytes, "more data than was announced");
    }

    /// <summary>What is asked for lies within the file, once each, however it is written.</summary>
    private static void CheckRange(byte[] input, Random random)
    {
        long length = random.Next(4) switch
        {
            0 => 0,
            1 => 1,
            2 => random.Next(2, 100),
            _ => random.NextInt64(100, long.MaxValue),
        };
        Span<ByteRange> ranges = stackalloc ByteRange[ByteRange.MaxRanges];
        RangeOutcome outcome = ByteRange.Parse(input, length, ranges, out int count);
        Require(count <= ByteRange.MaxRanges, "too many ranges");
        Require(outcome == RangeOutcome.Parts == count > 0, $"{outcome} with {count} ranges");
        for (int i = 0; i < count; i++)
        {
            Require(
                ranges[i].First >= 0 && ranges[i].First <= ranges[i].Last
                    && ranges[i].Last < length,
                $"{ranges[i]} of {length} bytes");
            for (int j = 0; j < i; j++)
            {
                Require(
                    ranges[i].First > ranges[j].Last || ranges[j].First > ranges[i].Last,
                    $"{ranges[i]} and {ranges[j]} overlap");
            }
        }
    }

    private static ParseStatus InPieces(
        byte[] input, Random random, Func<ReadOnlyMemory<byte>, ParseStatus> parse)
    {
        ParseStatus status = ParseStatus.Incomplete;
        for (int end = 0; status == ParseStatus.Incomplete && end < input.Length;)
        {
            end = Math.Min(end + random.Next(1, 17), input.Length);
            status = parse(input.AsMemory(0, end));
        }

        return input.Length == 0 ? parse(input) : status;
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new InvalidOperationException(otherwise);
        }
    }
}
