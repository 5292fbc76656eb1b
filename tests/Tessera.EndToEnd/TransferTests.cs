using System.Globalization;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>Bodies that are larger than any buffer.</summary>
public sealed class TransferTests
{
    private const long GiB = 1L << 30;
    private const long MaxGrowth = 32L * 1_024 * 1_024;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_download_of_1_GiB_streams_through_without_growing_the_daemon(bool chunked)
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project(Yaml(port), "download");
        await project.UpAsync();
        string path = $"/?bytes={{0}}{(chunked ? "&chunked=1" : "")}";

        await MeasureAsync(host, async length =>
        {
            using RawHttp http = await RawHttp.ConnectAsync(port);
            string target = string.Format(CultureInfo.InvariantCulture, path, length);
            await http.SendAsync($"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            HttpAnswer answer = await http.ReadAnswerAsync(countOnly: true);
            answer.Status.ShouldBe(200);
            answer.BodyLength.ShouldBe(length);
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_upload_of_1_GiB_streams_through_without_growing_the_daemon(bool chunked)
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project(Yaml(port), "upload");
        await project.UpAsync();

        await MeasureAsync(host, async length =>
        {
            using RawHttp http = await RawHttp.ConnectAsync(port);
            await SendBodyAsync(http, length, chunked);
            HttpAnswer answer = await http.ReadAnswerAsync();
            answer.Status.ShouldBe(200);
            answer.Text.ShouldContain($"bytes {length}\n");
        });
    }

    [Fact]
    public async Task A_client_that_reads_slowly_does_not_make_the_daemon_buffer()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project(Yaml(port), "slowly");
        await project.UpAsync();
        (await RawHttp.GetAsync(port, "/?bytes=1000000")).BodyLength.ShouldBe(1_000_000);
        int daemon = host.DaemonPid.ShouldNotBeNull();
        long before = Processes.ResidentBytes(daemon);

        using RawHttp http = await RawHttp.ConnectAsync(port);
        await http.SendAsync($"GET /?bytes={GiB} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        (await http.ReadTextAsync(100_000)).ShouldStartWith("HTTP/1.1 200");
        await Task.Delay(1_000);

        (Processes.ResidentBytes(daemon) - before).ShouldBeLessThan(MaxGrowth);
    }

    private static string Yaml(int port) => $$"""
        services:
          transfer:
            command: {{App.Transfer}}
            ports: ["{{port}}:80"]
        """;

    private static async Task MeasureAsync(TesseraHost host, Func<long, Task> transfer)
    {
        await transfer(4L * 1_024 * 1_024);
        int daemon = host.DaemonPid.ShouldNotBeNull();
        long before = Processes.ResidentBytes(daemon);
        long peak = before;
        using var done = new CancellationTokenSource();
        Task watch = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                peak = Math.Max(peak, Processes.ResidentBytes(daemon));
                await Task.Delay(20);
            }
        });

        await transfer(GiB);
        await done.CancelAsync();
        await watch;

        (peak - before).ShouldBeLessThan(MaxGrowth);
    }

    private static async Task SendBodyAsync(RawHttp http, long length, bool chunked)
    {
        string framing = chunked ? "Transfer-Encoding: chunked" : $"Content-Length: {length}";
        await http.SendAsync($"POST / HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
        const int size = 256 * 1_024;
        byte[] piece = chunked
            ? [.. "40000\r\n"u8, .. new byte[size], .. "\r\n"u8]
            : new byte[size];
        for (long left = length; left > 0; left -= size)
        {
            await http.SendAsync(piece);
        }

        if (chunked)
        {
            await http.SendAsync("0\r\n\r\n");
        }
    }
}
