using Shouldly;
using Tessera.Proxy.Http;
using Xunit;

namespace Tessera.Tests.Proxy.Http;

public class HeadAllocationTests
{
    private const int Parses = 100_000;

    [Fact]
    public void A_request_head_allocates_nothing_however_it_ends()
    {
        byte[][] heads = [.. RequestTable.Good.Concat(RequestTable.Bad.Select(row => row.Bytes))
            .Select(Bytes.Of)];
        var head = new RequestHead(16);
        AllocatedBy(i =>
        {
            head.Reset();
            head.Parse(heads[i % heads.Length], ParsedRequest.MaxHeadBytes);
        }).ShouldBe(0);
    }

    [Fact]
    public void A_response_head_allocates_nothing()
    {
        byte[] bytes = Bytes.Of(
            "HTTP/1.1 200 OK\r\nServer: x\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
            + "Content-Length: 45\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n");
        var head = new ResponseHead(16);
        AllocatedBy(_ =>
        {
            head.Reset();
            head.Parse(bytes, ParsedRequest.MaxHeadBytes);
        }).ShouldBe(0);
        head.Length.ShouldBe(bytes.Length);
    }

    private static long AllocatedBy(Action<int> parse)
    {
        for (int i = 0; i < 1_000; i++)
        {
            parse(i);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Parses; i++)
        {
            parse(i);
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
