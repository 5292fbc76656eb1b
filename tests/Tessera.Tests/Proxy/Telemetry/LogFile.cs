using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;

namespace Tessera.Tests.Proxy.Telemetry;

/// <summary>An access log of a test, in a folder of its own.</summary>
internal sealed class LogFile : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tessera-log-").FullName;

    public string Path => System.IO.Path.Combine(_folder, "access.log");

    public string[] Lines => File.Exists(Path) ? Read() : [];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>The one line that a request leaves in a log of that format.</summary>
    public async Task<string> LineOfAsync(
        IEnumerable<ScriptedServer> servers,
        string request,
        Func<AccessLogConfig, AccessLogConfig> configure,
        ProxyOptions? options = null)
    {
        await using (ProxyFixture proxy = Start(servers, configure, options))
        {
            await proxy.ExchangeAsync(request);
        }

        return Lines.ShouldHaveSingleItem();
    }

    public Task<string> LineOfAsync(ScriptedServer server, string request, string format) =>
        LineOfAsync([server], request, log => log with { Format = format });

    public ProxyFixture Start(
        IEnumerable<ScriptedServer> servers,
        Func<AccessLogConfig, AccessLogConfig> configure,
        ProxyOptions? options = null) => ProxyFixture.Start(
            servers.Select(s => s.Address),
            options,
            listener: l => l with { AccessLog = configure(new AccessLogConfig { Path = Path }) });

    private string[] Read()
    {
        using var stream = new FileStream(
            Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
