using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Tessera.Proxy.Files;
using Xunit;

namespace Tessera.Tests.Proxy.Files;

public sealed class FileRangeTests
{
    [Theory]
    [InlineData("bytes=0-0", "0-0")]
    [InlineData("bytes=0-", "0-99")]
    [InlineData("bytes=99-", "99-99")]
    [InlineData("bytes=-1", "99-99")]
    [InlineData("bytes=-500", "0-99")]
    [InlineData("bytes=50-500", "50-99")]
    [InlineData("BYTES=1-2", "1-2")]
    [InlineData("bytes=1-2 , ,5-6", "1-2 5-6")]
    [InlineData("bytes=5-6,1-2", "5-6 1-2")]
    [InlineData("bytes=1-2,3-4", "1-4")]
    [InlineData("bytes=1-5,2-3", "1-5")]
    [InlineData("bytes=2-3,1-5", "1-5")]
    [InlineData("bytes=0-1,10-11,1-10", "0-11")]
    [InlineData("bytes=0-0,200-300", "0-0")]
    [InlineData("bytes=0-99999999999999999999999", "0-99")]
    [InlineData("bytes=100-", "416")]
    [InlineData("bytes=-0", "416")]
    [InlineData("bytes=99999999999999999999999-", "416")]
    [InlineData("bytes=2-1", "200")]
    [InlineData("bytes=", "200")]
    [InlineData("bytes=-", "200")]
    [InlineData("bytes=a-b", "200")]
    [InlineData("bytes=1-b", "200")]
    [InlineData("bytes=1", "200")]
    [InlineData("bytes=0-1,x", "200")]
    [InlineData("bytes=+1-2", "200")]
    [InlineData("bytes=1--2", "200")]
    [InlineData("items=0-1", "200")]
    [InlineData("bytes 0-1", "200")]
    [InlineData("", "200")]
    public void Ranges_mean(string field, string expected) => Read(field, 100).ShouldBe(expected);

    [Fact]
    public void Too_many_ranges_are_the_whole_file()
    {
        string many = string.Join(',', Enumerable.Range(0, ByteRange.MaxRanges)
            .Select(i => $"{i * 4}-{i * 4}"));
        Read("bytes=" + many, 100).Split(' ').Length.ShouldBe(ByteRange.MaxRanges);
        Read($"bytes={many},90-90", 100).ShouldBe("200");
        Read("bytes=" + string.Concat(Enumerable.Repeat("0-,", 1_000)), 100).ShouldBe("200");
    }

    [Fact]
    public void An_empty_file_has_no_ranges() => Read("bytes=0-", 0).ShouldBe("200");

    /// <summary>
    /// The same bytes are asked for as with a set of numbers, none twice, none out of bounds.
    /// </summary>
    [Fact]
    public void Ranges_cover_what_a_reference_says()
    {
        Gen<string> number = Gen.Choose(0, 60).Select(
            n => n.ToString(CultureInfo.InvariantCulture));
        Gen<string> range = Gen.OneOf(
            Gen.Two(number).Select(p => $"{p.Item1}-{p.Item2}"),
            number.Select(n => $"{n}-"),
            number.Select(n => $"-{n}"));
        Gen<string[]> ranges = Gen.Choose(1, 8).SelectMany(n => range.ArrayOf(n));
        Prop.ForAll(
            ranges.ToArbitrary(),
            Gen.Choose(1, 50).ToArbitrary(),
            (list, length) =>
            {
                string expected = Reference(list, length);
                string actual = Read("bytes=" + string.Join(',', list), length);
                string covered = actual.Contains('-')
                    ? string.Join(' ', actual.Split(' ').SelectMany(Expand).Order())
                    : actual;
                covered.ShouldBe(expected, $"{string.Join(',', list)} of {length}");
                if (actual.Contains('-'))
                {
                    actual.Split(' ').SelectMany(Expand).ShouldBeUnique();
                }
            }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public async Task One_range_is_sent_as_it_is()
    {
        await using FileFixture site = new FileFixture().With("f.txt", "0123456789");
        Answer answer = await site.GetAsync("/f.txt", "Range: bytes=2-4");
        answer.Status.ShouldBe(206);
        answer["Content-Range"].ShouldBe("bytes 2-4/10");
        answer["Content-Length"].ShouldBe("3");
        answer["Content-Type"].ShouldBe("text/plain");
        answer.Body.ShouldBe("234");

        answer = await site.GetAsync("/f.txt", "Range: bytes=10-");
        answer.Status.ShouldBe(416);
        answer["Content-Range"].ShouldBe("bytes */10");
    }

    [Theory]
    [InlineData(1_000)]
    [InlineData(3_000_000)]
    public async Task Several_ranges_come_in_parts(int length)
    {
        byte[] content = FileServingTests.RandomBytes(length);
        string text = Encoding.Latin1.GetString(content);
        await using FileFixture site = new FileFixture().With("f.bin", content);
        Answer answer = await site.GetAsync(
            "/f.bin", $"Range: bytes=0-9,-5,100-{length - 100}");
        answer.Status.ShouldBe(206);
        answer["Content-Range"].ShouldBeNull();
        answer["Content-Length"].ShouldBe(answer.Body.Length.ToString(
            CultureInfo.InvariantCulture));
        const string type = "multipart/byteranges; boundary=";
        answer["Content-Type"]!.ShouldStartWith(type);
        string delimiter = "\r\n--" + answer["Content-Type"]![type.Length..];
        string expected = string.Concat(
            Part(0, 9), Part(length - 5, length - 1), Part(100, length - 100), delimiter, "--\r\n");
        (answer.Body == expected).ShouldBeTrue();

        string Part(int first, int last) =>
            $"{delimiter}\r\nContent-Type: application/octet-stream\r\n"
            + $"Content-Range: bytes {first}-{last}/{length}\r\n\r\n{text[first..(last + 1)]}";
    }

    [Fact]
    public async Task A_part_of_a_large_file_starts_where_it_should()
    {
        byte[] content = FileServingTests.RandomBytes(4_000_000);
        await using FileFixture site = new FileFixture().With("f.bin", content);
        Answer answer = await site.GetAsync("/f.bin", "Range: bytes=1234567-3456789");
        answer.Status.ShouldBe(206);
        (answer.Body == Encoding.Latin1.GetString(content, 1_234_567, 2_222_223)).ShouldBeTrue();
    }

    private static string Read(string field, long length)
    {
        Span<ByteRange> ranges = stackalloc ByteRange[ByteRange.MaxRanges];
        RangeOutcome outcome = ByteRange.Parse(
            Encoding.ASCII.GetBytes(field), length, ranges, out int count);
        return outcome switch
        {
            RangeOutcome.Whole => "200",
            RangeOutcome.NotSatisfiable => "416",
            _ => string.Join(
                ' ', ranges[..count].ToArray().Select(r => $"{r.First}-{r.Last}")),
        };
    }

    private static IEnumerable<int> Expand(string range)
    {
        int[] ends = [.. range.Split('-').Select(n => int.Parse(n, CultureInfo.InvariantCulture))];
        return Enumerable.Range(ends[0], ends[1] - ends[0] + 1);
    }

    private static string Reference(string[] list, int length)
    {
        var all = new SortedSet<int>();
        foreach (string range in list)
        {
            int dash = range.IndexOf('-', StringComparison.Ordinal);
            int? first = dash == 0 ? null : Number(range[..dash]);
            int? last = dash == range.Length - 1 ? null : Number(range[(dash + 1)..]);
            if (first > last)
            {
                return "200";
            }

            for (int i = 0; i < length; i++)
            {
                bool isIn = first is null ? i >= length - last : i >= first && i <= (last ?? i);
                if (isIn)
                {
                    all.Add(i);
                }
            }
        }

        return all.Count == 0 ? "416" : string.Join(' ', all);
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
