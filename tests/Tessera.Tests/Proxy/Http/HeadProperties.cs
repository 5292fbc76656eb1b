using FsCheck;
using FsCheck.Fluent;
using Tessera.Proxy.Http;
using Xunit;

namespace Tessera.Tests.Proxy.Http;

/// <summary>What holds for any bytes at all, good or bad.</summary>
public class HeadProperties
{
    private static readonly Config Many =
        Config.QuickThrowOnFailure.WithMaxTest(10_000).WithQuietOnSuccess(true);

    private static readonly string[] Heads =
        [.. RequestTable.Good, .. RequestTable.Bad.Select(row => row.Bytes)];

    [Fact]
    public void A_damaged_request_gives_the_same_result_however_it_arrives()
    {
        Gen<(byte[] Bytes, int[] Lengths)> cases =
            from text in Gen.Elements(Heads)
            from edits in Gen.Choose(0, 4)
            from bytes in Mutation.Apply(Bytes.Of(text), edits)
            from cuts in Gen.Choose(0, bytes.Length).ArrayOf(3)
            select (bytes, cuts.Order().Append(bytes.Length).ToArray());
        Prop.ForAll(cases.ToArbitrary(), row =>
        {
            string whole = ParsedRequest.Whole(row.Bytes);
            string pieces = ParsedRequest.InPieces(
                row.Bytes, row.Lengths, ParsedRequest.MaxHeadBytes);
            return pieces == whole && ParsedRequest.ByteByByte(row.Bytes) == whole;
        }).Check(Many);
    }

    [Fact]
    public void A_damaged_request_is_consistent_when_it_is_valid()
    {
        Gen<byte[]> cases =
            from text in Gen.Elements(RequestTable.Good)
            from edits in Gen.Choose(0, 4)
            from bytes in Mutation.Apply(Bytes.Of(text), edits)
            select bytes;
        var head = new RequestHead(16);
        Prop.ForAll(cases.ToArbitrary(), bytes =>
        {
            head.Reset();
            ParseStatus status = head.Parse(bytes, ParsedRequest.MaxHeadBytes);
            return status switch
            {
                ParseStatus.Complete => IsConsistent(head, bytes),
                ParseStatus.Invalid => head.ErrorStatus is 400 or 414 or 431 or 501 or 505
                    && head.ErrorReason.Length > 0,
                _ => bytes.Length < ParsedRequest.MaxHeadBytes,
            };
        }).Check(Many);
    }

    [Fact]
    public void Random_bytes_never_throw()
    {
        var request = new RequestHead(4);
        var response = new ResponseHead(4);
        Prop.ForAll<byte[], byte>((bytes, limit) =>
        {
            request.Reset();
            response.Reset();
            request.Parse(bytes, limit + 1);
            response.Parse(bytes, limit + 1);
        }).Check(Many);
    }

    /// <summary>
    /// The lines of the fields follow one another without gaps from the request line to the end,
    /// and nothing in them could be read as a line end or as another framing.
    /// </summary>
    private static bool IsConsistent(RequestHead head, byte[] bytes)
    {
        int at = head.TargetStart + head.TargetLength + " HTTP/1.1\r\n".Length;
        int lengths = 0;
        int codings = 0;
        for (int i = 0; i < head.HeaderCount; i++)
        {
            HeaderField field = head.Headers[i];
            string name = Bytes.Text(field.Name(bytes));
            lengths += IsNamed(name, "content-length") ? 1 : 0;
            codings += IsNamed(name, "transfer-encoding") ? 1 : 0;
            bool isLine = field.Start == at
                && bytes[field.Start + field.NameLength] == ':'
                && field.ValueStart + field.ValueLength <= field.End - 2
                && bytes.AsSpan(field.End - 2, 2).SequenceEqual("\r\n"u8)
                && !field.Value(bytes).ContainsAny("\r\n\0"u8);
            if (!isLine)
            {
                return false;
            }

            at = field.End;
        }

        return head.Length == at + 2
            && bytes.AsSpan(at, 2).SequenceEqual("\r\n"u8)
            && lengths + codings <= 1
            && (lengths == 1) == (head.ContentLength >= 0)
            && (codings == 1) == head.IsChunked
            && (head.MinorVersion == 0 || head.HostLength > 0);
    }

    private static bool IsNamed(string name, string expected) =>
        string.Equals(name, expected, StringComparison.OrdinalIgnoreCase);
}
