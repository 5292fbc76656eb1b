using System.Net;

namespace Tessera.Bench.Peers;

/// <summary>
/// HAProxy with one thread, its HTTP log, and time-outs like the others'; tuned, with buffers of
/// 64 KiB and splicing as well.
/// </summary>
internal sealed class HaproxyPeer : Peer
{
    /// <summary>It wants up to 2.5 descriptors for each, within a limit of 20,000.</summary>
    private const int MaxConnections = 7_500;

    private readonly bool _isTuned;

    public HaproxyPeer(string name, bool isTuned, string folder, IPEndPoint backend)
        : base(name, folder, backend, files: "") => _isTuned = isTuned;

    /// <summary>It serves no files.</summary>
    public override bool CanTake(Scenario scenario) =>
        scenario.Kind != LoadKind.File && scenario.Connections <= MaxConnections;

    public override string Version => FirstLineOf("haproxy", "-v");

    /// <summary>Its log goes to standard output, so the log file is where that goes.</summary>
    protected override string OutputFile => AccessLog;

    protected override IEnumerable<string> Command()
    {
        string path = Path.Combine(Folder, "haproxy.cfg");
        File.WriteAllText(path, Configuration());
        return ["haproxy", "-db", "-f", path];
    }

    private string Configuration() =>
        $"""
        global
            nbthread 1
            maxconn {MaxConnections}
            {(_isTuned ? "tune.bufsize 65536" : "")}
            log stdout format raw local0 info

        defaults
            mode http
            log global
            option httplog
            option forwardfor
            {(_isTuned ? "option splice-auto" : "")}
            timeout connect 5s
            timeout client 60s
            timeout server 60s
            timeout http-request 60s
            timeout http-keep-alive 75s

        frontend clients
            bind {EndPoint}
            http-request set-header X-Real-IP %[src]
            http-request set-header X-Forwarded-Proto http
            default_backend servers

        backend servers
            server one {Backend}

        """;
}
