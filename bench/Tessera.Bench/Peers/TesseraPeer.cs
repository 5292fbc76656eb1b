using System.Net;
using System.Runtime.InteropServices;
using Tessera.Proxy;

namespace Tessera.Bench.Peers;

/// <summary>
/// Tessera's <see cref="Tessera.Proxy.ProxyServer"/> with one reactor, hosted by this program.
/// </summary>
internal sealed class TesseraPeer : Peer
{
    private readonly PollerKind _poller;

    public TesseraPeer(string folder, IPEndPoint backend, string files, PollerKind poller)
        : base(poller == PollerKind.IoUring ? "tessera-uring" : "tessera", folder, backend, files)
    {
        _poller = poller;
    }

    public override string Version =>
        $"tessera {typeof(Tessera.Proxy.ProxyServer).Assembly.GetName().Version?.ToString(3)} on "
        + RuntimeInformation.FrameworkDescription;

    protected override IEnumerable<string> Command() =>
    [
        Environment.ProcessPath!, "serve", $"{EndPoint}", $"{Backend}", AccessLog, Files,
        $"{_poller}",
    ];
}
