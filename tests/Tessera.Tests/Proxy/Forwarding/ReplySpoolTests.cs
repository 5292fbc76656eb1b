using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Reactors;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>What waits for a slow client comes out as it went in.</summary>
public sealed class ReplySpoolTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tessera-spool-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Bytes_leave_in_their_order_whatever_the_pieces_are(int seed)
    {
        ReplySpool spool = Create(maxFileBytes: 1 << 20);
        var random = new Random(seed);
        var expected = new List<byte>();
        var actual = new List<byte>();
        for (int i = 0; i < 400; i++)
        {
            byte[] piece = new byte[random.Next(1, 9_000)];
            random.NextBytes(piece);
            spool.TryAppend(piece).ShouldBeTrue();
            expected.AddRange(piece);
            for (int take = random.Next(0, 3); take > 0 && !spool.IsEmpty; take--)
            {
                Take(spool, actual, random.Next(1, 12_000));
            }
        }

        while (!spool.IsEmpty)
        {
            Take(spool, actual, int.MaxValue);
        }

        actual.SequenceEqual(expected).ShouldBeTrue();
        spool.FilePath.IsEmpty.ShouldBeFalse();
        spool.Close();
        Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories).ShouldBeEmpty();
    }

    [Fact]
    public void It_is_full_when_its_file_is()
    {
        ReplySpool spool = Create(maxFileBytes: 1_000);
        spool.TryAppend(new byte[32 * 1_024]);
        spool.IsFull.ShouldBeFalse();
        spool.TryAppend(new byte[2_000]);
        spool.IsFull.ShouldBeTrue();
        spool.Close();
    }

    [Fact]
    public void Without_a_file_it_is_full_with_anything_in_it()
    {
        ReplySpool spool = Create(maxFileBytes: 0);
        spool.IsFull.ShouldBeFalse();
        spool.TryAppend(new byte[1]);
        spool.IsFull.ShouldBeTrue();
        spool.Close();
    }

    private static void Take(ReplySpool spool, List<byte> bytes, int limit)
    {
        byte[] buffer = spool.Peek(out int start, out int length);
        length.ShouldBeGreaterThan(0);
        length = Math.Min(length, limit);
        bytes.AddRange(buffer.AsSpan(start, length));
        spool.NoteSent(length);
    }

    private ReplySpool Create(long maxFileBytes) => new(
        new BufferPool(8 * 1_024, 32 * 1_024),
        new TemporaryFolderConfig(_folder, []),
        maxFileBytes);
}
