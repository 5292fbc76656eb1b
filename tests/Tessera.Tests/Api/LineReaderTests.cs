using System.Text;
using Shouldly;
using Tessera.Api;
using Xunit;

namespace Tessera.Tests.Api;

public sealed class LineReaderTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Splits_alike_however_the_bytes_arrive()
    {
        string long1 = new('x', 40_000);
        string text = $"a\n\nbb\n{long1}\nc\n";
        foreach (int piece in (int[])[1, 2, 3, 7, 16_384, 100_000])
        {
            List<string> lines = await ReadAsync(text, piece, 64 * 1024);
            lines.ShouldBe(["a", "", "bb", long1, "c"]);
        }
    }

    [Fact]
    public async Task An_end_within_a_line_is_a_fault() =>
        await Should.ThrowAsync<IOException>(() => ReadAsync("a\nb", 100, 1024));

    [Fact]
    public async Task A_line_beyond_the_limit_is_a_fault() =>
        await Should.ThrowAsync<IOException>(
            () => ReadAsync(new string('x', 100_000) + "\n", 1_000, 32 * 1024));

    private static async Task<List<string>> ReadAsync(string text, int piece, int limit)
    {
        var reader = new LineReader(new PieceStream(Encoding.ASCII.GetBytes(text), piece), limit);
        var lines = new List<string>();
        while (await reader.ReadAsync(Token) is { } line)
        {
            lines.Add(Encoding.ASCII.GetString(line.Span));
        }

        return lines;
    }

    /// <summary>Gives at most <paramref name="piece"/> bytes at a time.</summary>
    private sealed class PieceStream(byte[] bytes, int piece) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(
            Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(piece, buffer.Length)], cancellationToken);
    }
}
