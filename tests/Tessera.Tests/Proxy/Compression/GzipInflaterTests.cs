using System.IO.Compression;
using System.Text;
using Shouldly;
using Tessera.Proxy.Compression;
using Xunit;

namespace Tessera.Tests.Proxy.Compression;

public class GzipInflaterTests
{
    private static readonly byte[] Text =
        Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 2_000)));

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1_024)]
    [InlineData(100_000)]
    public void Gives_back_what_was_compressed_however_it_is_cut(int piece) =>
        Inflate(Compress(Text), piece).ShouldBe(Text);

    [Theory]
    [InlineData(1)]
    [InlineData(100_000)]
    public void Goes_on_with_the_next_member(int piece) =>
        Inflate([.. Compress(Text), .. Compress("end"u8.ToArray())], piece)
            .ShouldBe([.. Text, .. "end"u8]);

    [Theory]
    [InlineData(3)]
    [InlineData(40)]
    [InlineData(1_000)]
    public void Refuses_a_body_that_was_cut_short(int length) =>
        Inflate(Compress(Text)[..length], 16).ShouldBeNull();

    [Fact]
    public void Refuses_what_is_not_compressed() =>
        Inflate("plain text all along"u8.ToArray(), 100).ShouldBeNull();

    [Fact]
    public void Leaves_nothing_as_it_is() => Inflate([], 1).ShouldBe([]);

    [Fact]
    public void Compresses_nothing_to_an_empty_member()
    {
        using var output = new CompressedOutput();
        using var filter = new BodyCompressor(
            new BodySteps { Coding = ContentCoding.Gzip, Level = 1 }, output);
        filter.Write([], CompressionFlush.Finish).ShouldBeTrue();
        output.Pending.ShouldBe(20);
        Inflate(output.Bytes.ToArray(), 20).ShouldBe([]);
    }

    private static byte[] Compress(byte[] text)
    {
        using var output = new MemoryStream();
        using (var gzip = new GZipStream(output, CompressionLevel.Optimal))
        {
            gzip.Write(text);
        }

        return output.ToArray();
    }

    /// <summary>Null for what is refused.</summary>
    private static byte[]? Inflate(byte[] body, int piece)
    {
        using var inflater = new GzipInflater();
        using var output = new MemoryStream();
        for (int start = 0; start < body.Length || start == 0; start += piece)
        {
            int end = Math.Min(start + piece, body.Length);
            if (!inflater.TryWrite(body.AsSpan(start, end - start), end == body.Length, output))
            {
                return null;
            }
        }

        return output.ToArray();
    }
}
