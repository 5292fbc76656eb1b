using System.Text;

namespace Tessera.Proxy.Variables;

/// <summary>
/// What a variable tells. A name in a text is the member's name in snake case:
/// <see cref="RemoteAddr"/> is <c>$remote_addr</c>. The meanings are nginx's (ngx_http_core_module,
/// ngx_http_upstream_module, ngx_http_proxy_module) unless a comment says otherwise.
/// </summary>
internal enum Variable : byte
{
    // The connection.
    RemoteAddr,
    RemotePort,
    BinaryRemoteAddr,

    /// <summary>Who is connected, whomever a proxy names.</summary>
    RealipRemoteAddr,
    RealipRemotePort,
    ServerAddr,
    ServerPort,
    Connection,
    ConnectionRequests,
    ConnectionTime,
    Pipe,

    /// <summary>From TCP_INFO, see tcp(7): microseconds, segments or bytes.</summary>
    TcpinfoRtt,
    TcpinfoRttvar,
    TcpinfoSndCwnd,
    TcpinfoRcvSpace,

    // The request.
    Request,
    RequestMethod,
    RequestUri,
    RequestLength,
    RequestTime,
    RequestId,
    RequestCompletion,

    /// <summary>Empty unless the whole body is in memory.</summary>
    RequestBody,

    /// <summary>Name of the file that has the body.</summary>
    RequestBodyFile,
    RequestFilename,
    Uri,
    Args,
    IsArgs,
    Host,
    Scheme,
    Https,
    ServerName,
    ServerProtocol,
    RemoteUser,
    ContentLength,
    ContentType,
    DocumentRoot,

    /// <summary>As <see cref="DocumentRoot"/>, where its links lead to.</summary>
    RealpathRoot,

    /// <summary>"1" when the field Referer names somebody else; empty otherwise.</summary>
    InvalidReferer,

    /// <summary>"1" for Internet Explorer (ngx_http_browser_module).</summary>
    Msie,
    ModernBrowser,
    AncientBrowser,
    SecureLink,
    SecureLinkExpires,
    LimitRate,

    /// <summary>
    /// What limit_req and limit_conn said: PASSED, DELAYED, REJECTED; empty without them.
    /// </summary>
    LimitReqStatus,
    LimitConnStatus,
    ProxyAddXForwardedFor,

    /// <summary>The backend's name; nginx has the name in proxy_pass.</summary>
    ProxyHost,

    /// <summary>The port in proxy_pass; without one the listener's.</summary>
    ProxyPort,

    // The answer.
    Status,
    BytesSent,
    BodyBytesSent,

    // The tries, one value for each, separated by ", ".
    UpstreamAddr,
    UpstreamStatus,
    UpstreamConnectTime,
    UpstreamHeaderTime,
    UpstreamResponseTime,
    UpstreamResponseLength,
    UpstreamBytesSent,
    UpstreamBytesReceived,

    /// <summary>Seconds for which the request waited for an endpoint.</summary>
    UpstreamQueueTime,

    // The program and the clock.
    Hostname,
    Pid,
    Msec,
    TimeLocal,
    TimeIso8601,

    /// <summary>Of ngx_http_ssi_module, in its usual format.</summary>
    DateLocal,
    DateGmt,
    TesseraVersion,
    NginxVersion,

    // All connections of the server at this moment (ngx_http_stub_status_module).
    ConnectionsActive,
    ConnectionsReading,
    ConnectionsWriting,
    ConnectionsWaiting,

    /// <summary>Since the server's start, as the rest of nginx's status page.</summary>
    ConnectionsAccepted,
    ConnectionsHandled,
    RequestsTotal,

    // Of this program alone.
    Route,
    Backend,

    /// <summary>Id of the endpoint that was tried last.</summary>
    Instance,

    /// <summary>The trace's id in 32 hexadecimal digits; empty without tracing.</summary>
    TraceId,

    // A connection that is no HTTP: ngx_stream_core_module, ngx_stream_ssl_preread_module.
    Protocol,
    BytesReceived,
    SessionTime,
    SslPrereadProtocol,
    SslPrereadServerName,
    SslPrereadAlpnProtocols,

    /// <summary>What a proxy before this one says, by the PROXY protocol.</summary>
    ProxyProtocolAddr,
    ProxyProtocolPort,
    ProxyProtocolServerAddr,
    ProxyProtocolServerPort,

    /// <summary>Known to nginx, and always empty here: what it names does not exist.</summary>
    Nothing,

    /// <summary>The families have a name of their own behind the prefix.</summary>
    Arg,
    Http,
    Cookie,
    SentHttp,
    SentTrailer,
    UpstreamHttp,
    UpstreamCookie,
    UpstreamTrailer,

    /// <summary>A field of the PROXY protocol's second version.</summary>
    ProxyProtocolTlv,

    /// <summary>A group of the route's expression; its number is the only byte.</summary>
    Group,

    /// <summary>One that the configuration defines.</summary>
    Own,
}

/// <summary>A variable, and which member of its family. Immutable.</summary>
/// <param name="Member">Lower case, with "_" for "-" in header fields; empty for others.</param>
/// <param name="Own">Of the configuration; null for those that every configuration has.</param>
internal readonly record struct VariableName(
    Variable Variable, byte[] Member, OwnVariable? Own = null)
{
    /// <summary>Of modules that are not there, for formats of logs that name them.</summary>
    private static readonly string[] Absent =
    [
        "upstream_cache_status", "gzip_ratio", "http2", "http3", "slice_range", "uid_got",
        "uid_reset", "uid_set", "ssl_alpn_protocol", "ssl_cipher", "ssl_ciphers",
        "ssl_client_cert", "ssl_client_escaped_cert", "ssl_client_fingerprint",
        "ssl_client_i_dn", "ssl_client_i_dn_legacy", "ssl_client_raw_cert", "ssl_client_s_dn",
        "ssl_client_s_dn_legacy", "ssl_client_serial", "ssl_client_v_end",
        "ssl_client_v_remain", "ssl_client_v_start", "ssl_client_verify", "ssl_curve",
        "ssl_curves", "ssl_early_data", "ssl_protocol", "ssl_server_name", "ssl_session_id",
        "ssl_session_reused",
    ];

    private static readonly Dictionary<string, Variable> Plain = CreatePlain();

    private static readonly (string Prefix, Variable Variable)[] Families =
    [
        ("arg_", Variable.Arg),
        ("http_", Variable.Http),
        ("cookie_", Variable.Cookie),
        ("sent_http_", Variable.SentHttp),
        ("upstream_http_", Variable.UpstreamHttp),
        ("upstream_cookie_", Variable.UpstreamCookie),
        ("proxy_protocol_tlv_", Variable.ProxyProtocolTlv),

        ("upstream_trailer_", Variable.UpstreamTrailer),
        ("sent_trailer_", Variable.SentTrailer),
    ];

    /// <summary>
    /// Its value is looked up in a response's head, which is gone by the time a line is logged
    /// unless it was kept.
    /// </summary>
    public bool IsOfReplyHead => Variable
        is Variable.SentHttp or Variable.UpstreamHttp or Variable.UpstreamCookie;

    /// <exception cref="FormatException">There is no such variable.</exception>
    public static VariableName Parse(string name)
    {
        if (Plain.TryGetValue(name, out Variable variable))
        {
            return new VariableName(variable, []);
        }

        if (name is [>= '0' and <= '9'])
        {
            return new VariableName(Variable.Group, [(byte)(name[0] - '0')]);
        }

        // A configuration may define what would be one of a family.
        if (VariableScope.Current.Find(name) is { } own)
        {
            return new VariableName(Variable.Own, [], own);
        }

        foreach ((string prefix, Variable family) in Families)
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal))
            {
                // A member without a name is none that any message has.
                return name.Length == prefix.Length
                    ? new VariableName(Variable.Nothing, [])
                    : new VariableName(
                        family, Encoding.UTF8.GetBytes(name[prefix.Length..]));
            }
        }

        throw new UnknownVariableException(name);
    }

    /// <summary>Every configuration has it, so none may define it.</summary>
    public static bool IsBuiltIn(string name) => Plain.ContainsKey(name);

    private static Dictionary<string, Variable> CreatePlain()
    {
        var plain = Enum.GetValues<Variable>()
            .Where(v => v < Variable.Nothing)
            .ToDictionary(v => ToSnakeCase(v.ToString()), StringComparer.Ordinal);
        plain.Add("document_uri", Variable.Uri);
        plain.Add("query_string", Variable.Args);
        plain.Add("request_port", Variable.ServerPort);
        plain.Add("upstream_first_byte_time", Variable.UpstreamHeaderTime);
        plain.Add("upstream_session_time", Variable.UpstreamResponseTime);
        foreach (string name in Absent)
        {
            plain.Add(name, Variable.Nothing);
        }

        return plain;
    }

    private static string ToSnakeCase(string name)
    {
        var text = new StringBuilder();
        foreach (char letter in name)
        {
            if (char.IsAsciiLetterUpper(letter) && text.Length > 0)
            {
                text.Append('_');
            }

            text.Append(char.ToLowerInvariant(letter));
        }

        return text.ToString();
    }
}
