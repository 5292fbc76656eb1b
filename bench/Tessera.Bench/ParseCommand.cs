using System.Diagnostics;
using System.Text;
using Tessera.Proxy.Http;

namespace Tessera.Bench;

/// <summary>"parse": what a head costs the parsers, in time and memory.</summary>
internal static class ParseCommand
{
    private const int MaxHeadBytes = 32 * 1_024;
    private const int Batch = 1_000;
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(2);

    private const string SmallRequest =
        "GET /index.html HTTP/1.1\r\nHost: example.org\r\nUser-Agent: curl/8\r\n"
        + "Accept: */*\r\n\r\n";

    private const string BrowserRequest =
        "GET /articles/2024/balancers?page=2&sort=date HTTP/1.1\r\nHost: www.example.org\r\n"
        + "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
        + "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
        + "Accept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
        + "Referer: https://www.example.org/articles\r\nConnection: keep-alive\r\n"
        + "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
        + "Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\n\r\n";

    private const string Response =
        "HTTP/1.1 200 OK\r\nServer: example\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        + "Content-Type: text/html; charset=utf-8\r\nContent-Length: 45\r\n\r\n";

    public static int Run()
    {
        var request = new RequestHead(100);
        var response = new ResponseHead(100);
        Measure("request, 4 lines", SmallRequest, bytes =>
        {
            request.Reset();
            return request.Parse(bytes, MaxHeadBytes);
        });
        Measure("request, 11 lines", BrowserRequest, bytes =>
        {
            request.Reset();
            return request.Parse(bytes, MaxHeadBytes);
        });
        Measure("response, 5 lines", Response, bytes =>
        {
            response.Reset();
            return response.Parse(bytes, MaxHeadBytes);
        });
        return 0;
    }

    /// <summary>
    /// Prints the time of the fastest batch: the others were disturbed, by the compiler at first
    /// and by whatever else the machine does.
    /// </summary>
    private static void Measure(string name, string head, Func<byte[], ParseStatus> parse)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(head);
        long started = Stopwatch.GetTimestamp();
        long allocated = 0;
        TimeSpan fastest = TimeSpan.MaxValue;
        while (Stopwatch.GetElapsedTime(started) < Duration)
        {
            long allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
            long batchStarted = Stopwatch.GetTimestamp();
            for (int i = 0; i < Batch; i++)
            {
                if (parse(bytes) != ParseStatus.Complete)
                {
                    throw new InvalidOperationException("The sample head is not valid.");
                }
            }

            TimeSpan elapsed = Stopwatch.GetElapsedTime(batchStarted);
            allocated = GC.GetAllocatedBytesForCurrentThread() - allocatedBefore;
            fastest = elapsed < fastest ? elapsed : fastest;
        }

        Console.WriteLine(
            $"{name,-18} {bytes.Length,4} bytes {fastest.TotalNanoseconds / Batch,6:F1} ns "
            + $"{(double)allocated / Batch,4:F1} B allocated");
    }
}
