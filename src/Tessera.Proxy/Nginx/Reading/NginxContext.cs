namespace Tessera.Proxy.Nginx;

/// <summary>Blocks that a directive may stand in.</summary>
[Flags]
internal enum NginxContext
{
    None = 0,
    Main = 1,
    Events = 2,
    Http = 4,
    Server = 8,
    Location = 16,

    /// <summary>An if in a server.</summary>
    ServerIf = 32,

    /// <summary>An if in a location.</summary>
    LocationIf = 64,
    LimitExcept = 128,
    Upstream = 256,
    Stream = 512,
    StreamServer = 1_024,
    StreamUpstream = 2_048,

    /// <summary>Settings that a location has or inherits.</summary>
    HttpServerLocation = Http | Server | Location,

    /// <summary>The same, and an if may change them.</summary>
    HttpServerLocationIf = HttpServerLocation | LocationIf,
}
