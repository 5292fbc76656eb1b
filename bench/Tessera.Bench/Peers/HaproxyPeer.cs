using System.Net;

namespace Tessera.Bench.Peers;

/// <summary>HAProxy with one thread, its HTTP log, and time-outs like the others'.</summary>
internal sealed class HaproxyPeer : Peer
{
    public HaproxyPeer(string folder, IPEndPoint backend)
        : base("haproxy", folder, backend)
    {
    }

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
            maxconn 8192
            log stdout format raw local0 info

        defaults
            mode http
            log global
            option httplog
            option forwardfor
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
