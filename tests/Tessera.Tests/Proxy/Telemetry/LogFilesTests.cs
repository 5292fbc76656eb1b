using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Telemetry;
using Xunit;

namespace Tessera.Tests.Proxy.Telemetry;

public sealed class LogFilesTests : IDisposable
{
    private readonly string _folder =
        Directory.CreateTempSubdirectory("tessera-files-").FullName;

    private string LogPath => Path.Combine(_folder, "a.log");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Goes_on_in_a_file_that_was_moved_until_it_is_reopened()
    {
        using var files = new LogFiles(maxBytes: 0, backups: 0);
        var target = new LogTarget(LogPath);
        files.Append(target, "one\n"u8);
        File.Move(LogPath, LogPath + ".old");
        files.Append(target, "two\n"u8);
        File.Exists(LogPath).ShouldBeFalse();
        files.Reopen(message => throw new InvalidOperationException(message));
        files.Append(target, "three\n"u8);
        File.ReadAllText(LogPath + ".old").ShouldBe("one\ntwo\n");
        File.ReadAllText(LogPath).ShouldBe("three\n");
    }

    [Fact]
    public void Writes_behind_what_others_have_written_and_where_the_file_was_cut()
    {
        using var files = new LogFiles(maxBytes: 0, backups: 0);
        var target = new LogTarget(LogPath);
        files.Append(target, "one\n"u8);
        File.AppendAllText(LogPath, "another's\n");
        files.Append(target, "two\n"u8);
        File.ReadAllText(LogPath).ShouldBe("one\nanother's\ntwo\n");
        File.WriteAllText(LogPath, "");
        files.Append(target, "three\n"u8);
        File.ReadAllText(LogPath).ShouldBe("three\n");
    }

    [Fact]
    public void Compresses_each_chunk_so_that_the_file_can_be_read_at_any_time()
    {
        using var files = new LogFiles(maxBytes: 0, backups: 0);
        var target = new LogTarget(LogPath, GzipLevel: 6);
        files.Append(target, "one\n"u8);
        files.Append(target, "two\n"u8);
        using var gzip = new GZipStream(File.OpenRead(LogPath), CompressionMode.Decompress);
        using var reader = new StreamReader(gzip);
        reader.ReadToEnd().ShouldBe("one\ntwo\n");
    }

    [Fact]
    public async Task Sends_a_line_as_one_datagram_with_its_priority_and_tag()
    {
        using var server = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        using var files = new LogFiles(maxBytes: 0, backups: 0);
        var syslog = new SyslogConfig(server.Client.LocalEndPoint!, 190, "web", HasHostname: false);
        files.Append(new LogTarget("syslog", 0, syslog), "a line\n"u8);
        UdpReceiveResult received = await server.ReceiveAsync(
            TestContext.Current.CancellationToken);
        Encoding.ASCII.GetString(received.Buffer)
            .ShouldMatch(@"^<190>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d web: a line$");
    }
}
