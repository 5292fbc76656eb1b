using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Tessera.Proxy.Http;
using Xunit;

namespace Tessera.Tests.Proxy.Http;

public class ChunkedDecoderTests
{
    private static readonly (string Bytes, string Data)[] Good =
    [
        ("0\r\n\r\n", ""),
        ("000\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
        ("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
        ("0000000000000003\r\n\r\n\0\r\n0\r\n\r\n", "\r\n\0"),
        ("2;ext\r\nab\r\n0;last=\"x y\"\t;z\r\n\r\n", "ab"),
        ("2;\r\nab\r\n0\r\n\r\n", "ab"),
        ("1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n", "a"),
        ("1\r\na\r\n0\r\nX-Sum:\r\nX-Other: a\tb\u00ff\r\n\r\n", "a"),
        ("0\r\nHosts: a\r\nHos: b\r\nContent-Lengths: 1\r\nT: c\r\n\r\n", ""),
    ];

    private static readonly string[] Bad =
    [
        "\r\n", "\n", " ", "g\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n", "\t1\r\n", "1 \r\n",
        "1\t\r\n", "1 ;x\r\n", "1\n", "1\r1", "1\0\r\n", ";x\r\n", "1,1\r\n", "1_0\r\n",
        "8000000000000000\r\n", "ffffffffffffffff\r\n", "00000000000000001\r\n",
        "10000000000000000\r\n", "1;\0\r\n", "1;a\nb\r\n", "1;a\r\r\n", "1;a\u007f\r\n",
        "1\r\nab", "1\r\na\n", "1\r\na\r\r", "1\r\na0\r\n", "1\r\na\r\n\r\n", "1\r\na\r\nx",
        "0\r\n\n", "0\r\n\r\r", "0\r\n \r\n", "0\r\nX\r\n", "0\r\n: x\r\n", "0\r\nX : y\r\n",
        "0\r\nX: y\n", "0\r\nX: y\r\r", "0\r\nX: y\r\n z\r\n", "0\r\nX: \0\r\n",
        "0\r\nX\u00e9: y\r\n",
        "0\r\nGET / HTTP/1.1\r\n", "0\r\nHost: a\r\n\r\n", "0\r\nContent-Length: 5\r\n\r\n",
        "0\r\nX: y\r\ncontent-lengtH:5\r\n\r\n", "0\r\nTRANSFER-ENCODING: chunked\r\n\r\n",
        "1;" + new string('x', 257) + "\r\n",
        "0\r\nX: " + new string('x', 9_000) + "\r\n\r\n",
        "0\r\n" + string.Concat(Enumerable.Repeat("X: y\r\n", 2_000)) + "\r\n",
    ];

    [Theory]
    [InlineData("9\nSEE-THIS\n\n0\n\n", "SEE-THIS\n")]
    [InlineData("2 \r\nok\r\n0\t\r\n\r\n", "ok")]
    [InlineData("2;a\nok\n0\nX: y\n\n", "ok")]
    [InlineData("2\r\nok\r\n0\r\nX: y\r\n\r\n", "ok")]
    public void A_tolerant_one_takes_what_nginx_takes(string text, string data)
    {
        byte[] bytes = Bytes.Of(text + "next");
        for (int split = 0; split < text.Length; split++)
        {
            var decoder = new ChunkedDecoder { IsTolerant = true };
            string found = "";
            int at = 0;
            foreach (int end in (int[])[split, bytes.Length])
            {
                ChunkStatus status = ChunkStatus.NeedMore;
                int consumed = 1;
                while (consumed > 0 && status == ChunkStatus.NeedMore)
                {
                    status = decoder.Next(
                        bytes.AsSpan(at..end), out consumed, out int start, out int length);
                    found += System.Text.Encoding.Latin1.GetString(bytes, at + start, length);
                    at += consumed;
                }
            }

            (found, at, decoder.IsComplete).ShouldBe((data, text.Length, true));
        }
    }

    [Fact]
    public void Follows_every_good_body_split_at_every_byte()
    {
        foreach ((string text, string data) in Good)
        {
            byte[] bytes = Bytes.Of(text);
            Decode(bytes, [bytes.Length]).ShouldBe($"Complete {bytes.Length} {data}");
            Decode(bytes, Enumerable.Range(1, bytes.Length))
                .ShouldBe($"Complete {bytes.Length} {data}");
            for (int split = 0; split <= bytes.Length; split++)
            {
                Decode(bytes, [split, bytes.Length]).ShouldBe($"Complete {bytes.Length} {data}");
                if (split < bytes.Length)
                {
                    Decode(bytes, [split]).ShouldStartWith($"NeedMore {split} ");
                }
            }
        }
    }

    [Fact]
    public void Leaves_what_follows_the_body()
    {
        foreach ((string text, string data) in Good)
        {
            byte[] bytes = Bytes.Of(text + "GET / HTTP/1.1\r\n");
            Decode(bytes, [bytes.Length]).ShouldBe($"Complete {text.Length} {data}");
        }
    }

    [Fact]
    public void Refuses_every_bad_body()
    {
        foreach (string text in Bad)
        {
            byte[] bytes = Bytes.Of(text);
            string whole = Decode(bytes, [bytes.Length]);
            whole.ShouldStartWith("Invalid ", customMessage: Bytes.Show(bytes));
            Decode(bytes, Enumerable.Range(1, bytes.Length)).ShouldBe(whole, Bytes.Show(bytes));
        }
    }

    [Fact]
    public void Stays_invalid()
    {
        var decoder = default(ChunkedDecoder);
        decoder.Advance("x"u8, out _).ShouldBe(ChunkStatus.Invalid);
        decoder.Advance("0\r\n\r\n"u8, out int consumed).ShouldBe(ChunkStatus.Invalid);
        consumed.ShouldBe(0);
        decoder.IsComplete.ShouldBeFalse();
    }

    [Fact]
    public void Takes_nothing_after_the_end()
    {
        var decoder = default(ChunkedDecoder);
        decoder.Advance("0\r\n\r\n"u8, out _).ShouldBe(ChunkStatus.Complete);
        decoder.IsComplete.ShouldBeTrue();
        decoder.Advance("0\r\n\r\n"u8, out int consumed).ShouldBe(ChunkStatus.Complete);
        consumed.ShouldBe(0);
    }

    [Fact]
    public void Accepts_a_chunk_of_2_to_the_63_less_1()
    {
        var decoder = default(ChunkedDecoder);
        decoder.Advance("7fffffffffffffff\r\n"u8, out _).ShouldBe(ChunkStatus.NeedMore);
        decoder.Advance(new byte[1_000], out int consumed).ShouldBe(ChunkStatus.NeedMore);
        consumed.ShouldBe(1_000);
    }

    [Fact]
    public void Bounds_extensions_that_no_data_pays_for()
    {
        var decoder = default(ChunkedDecoder);
        byte[] poor = Bytes.Of($"1;{new string('x', 200)}\r\na\r\n");
        int chunks = 0;
        while (decoder.Advance(poor, out _) == ChunkStatus.NeedMore)
        {
            chunks++;
            chunks.ShouldBeLessThan(1_000);
        }

        chunks.ShouldBe(16 * 1_024 / 199);

        decoder = default;
        byte[] rich = Bytes.Of($"100;{new string('x', 200)}\r\n{new string('a', 256)}\r\n");
        for (int i = 0; i < 1_000; i++)
        {
            decoder.Advance(rich, out _).ShouldBe(ChunkStatus.NeedMore);
        }
    }

    /// <summary>Good bodies with a little damage, in random pieces.</summary>
    [Fact]
    public void Agrees_with_the_reference_on_anything()
    {
        Gen<byte[]> bodies =
            from row in Gen.Elements(Good)
            from edits in Gen.Choose(0, 3)
            from body in Mutation.Apply(Bytes.Of(row.Bytes), edits)
            select body;
        Gen<(byte[] Body, int[] Lengths)> cases =
            from body in bodies
            from cuts in Gen.Choose(0, body.Length).ArrayOf(3)
            select (body, cuts.Order().Append(body.Length).ToArray());
        Prop.ForAll(cases.ToArbitrary(), row => AgreesWithReference(row.Body, row.Lengths))
            .Check(Config.QuickThrowOnFailure
                .WithMaxTest(20_000)
                .WithQuietOnSuccess(true));
    }

    [Fact]
    public void Does_not_allocate()
    {
        byte[] body = Bytes.Of(string.Concat(Good.Select(row => row.Bytes)));
        FollowAll(body);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10_000; i++)
        {
            FollowAll(body);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    private static void FollowAll(ReadOnlySpan<byte> bodies)
    {
        while (!bodies.IsEmpty)
        {
            var decoder = default(ChunkedDecoder);
            decoder.Advance(bodies, out int consumed);
            bodies = bodies[consumed..];
        }
    }

    private static bool AgreesWithReference(byte[] body, int[] lengths)
    {
        (byte[]? data, int end) = ReferenceChunkedBody.Read(body);
        string decoded = Decode(body, lengths);
        return data != null
            ? decoded == $"Complete {end} {Bytes.Text(data)}"
            : decoded.StartsWith(
                end < 0 ? "Invalid " : $"NeedMore {body.Length} ", StringComparison.Ordinal);
    }

    /// <summary>
    /// Runs both ways of decoding, which must agree, over the pieces that end at
    /// <paramref name="lengths"/>. Returns the status, the bytes consumed, and the data.
    /// </summary>
    private static string Decode(byte[] bytes, IEnumerable<int> lengths)
    {
        var relay = default(ChunkedDecoder);
        var reader = default(ChunkedDecoder);
        var data = new List<byte>();
        int at = 0;
        ChunkStatus status = ChunkStatus.NeedMore;
        foreach (int length in lengths)
        {
            byte[] piece = bytes.AsSpan(at, length - at).ToArray();
            status = relay.Advance(piece, out int relayed);
            int read = ReadData(ref reader, piece, data, out ChunkStatus readStatus);
            (readStatus, read).ShouldBe((status, relayed));
            at += relayed;
            if (status != ChunkStatus.NeedMore)
            {
                break;
            }

            relayed.ShouldBe(piece.Length);
        }

        return $"{status} {at} {Bytes.Text(data.ToArray())}";
    }

    private static int ReadData(
        ref ChunkedDecoder decoder, byte[] piece, List<byte> data, out ChunkStatus status)
    {
        int at = 0;
        do
        {
            status = decoder.Next(
                piece.AsSpan(at), out int consumed, out int dataStart, out int dataLength);
            data.AddRange(piece.AsSpan(at + dataStart, dataLength));
            at += consumed;
        }
        while (status == ChunkStatus.NeedMore && at < piece.Length);

        return at;
    }
}
