using System.Collections.Frozen;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Settings of modules that are not there. While nothing uses such a module its settings make no
/// difference in nginx either, and files that people have are full of them; what would use it, as
/// "listen … ssl" or fastcgi_pass, is an error of its own. Stateless.
/// </summary>
internal static class UnusedSettings
{
    private const NginxContext Anywhere = NginxContext.HttpServerLocation
        | NginxContext.LocationIf | NginxContext.ServerIf;

    private const NginxContext StreamAnywhere = NginxContext.Stream | NginxContext.StreamServer;

    /// <summary>Where addresses are listened on.</summary>
    private const NginxContext Servers =
        NginxContext.Http | NginxContext.Server | StreamAnywhere;

    private static readonly string[] Tls =
    [
        "ssl_alpn", "ssl_buffer_size", "ssl_certificate", "ssl_certificate_cache",
        "ssl_certificate_compression", "ssl_certificate_key", "ssl_ciphers",
        "ssl_client_certificate", "ssl_conf_command", "ssl_crl", "ssl_dhparam", "ssl_early_data",
        "ssl_ecdh_curve", "ssl_ech_file", "ssl_handshake_timeout", "ssl_key_log",
        "ssl_object_cache_inheritable", "ssl_ocsp", "ssl_ocsp_cache", "ssl_ocsp_responder",
        "ssl_password_file", "ssl_protocols", "ssl_session_cache", "ssl_session_ticket_key",
        "ssl_session_timeout", "ssl_stapling_file", "ssl_stapling_responder",
        "ssl_trusted_certificate", "ssl_verify_client", "ssl_verify_depth",
    ];

    private static readonly string[] TlsFlags =
    [
        "ssl_prefer_server_ciphers", "ssl_reject_handshake", "ssl_session_tickets",
        "ssl_stapling", "ssl_stapling_verify",
    ];

    /// <summary>Each behind the name of its proxy.</summary>
    private static readonly string[] ProxyTls =
    [
        "ssl_alpn", "ssl_certificate", "ssl_certificate_cache", "ssl_certificate_key",
        "ssl_ciphers", "ssl_conf_command", "ssl_crl", "ssl_key_log", "ssl_name",
        "ssl_password_file", "ssl_protocols", "ssl_trusted_certificate", "ssl_verify_depth",
    ];

    private static readonly string[] ProxyTlsFlags =
        ["ssl_server_name", "ssl_session_reuse", "ssl_verify"];

    private static readonly string[] Cache =
    [
        "cache_background_update", "cache_bypass", "cache_key", "cache_lock", "cache_lock_age",
        "cache_lock_timeout", "cache_max_range_offset", "cache_methods", "cache_min_uses",
        "cache_revalidate", "cache_use_stale", "cache_valid", "no_cache",
    ];

    /// <summary>Of the proxies of other protocols, behind the protocol's name.</summary>
    private static readonly string[] Passing =
    [
        "bind", "buffer_size", "buffering", "buffers", "busy_buffers_size", "catch_stderr",
        "connect_timeout", "force_ranges", "hide_header", "ignore_client_abort",
        "ignore_headers", "index", "intercept_errors", "keep_conn", "limit_rate",
        "max_temp_file_size", "next_upstream", "next_upstream_timeout", "next_upstream_tries",
        "param", "pass_header", "pass_request_body", "pass_request_headers", "read_timeout",
        "request_buffering", "send_lowat", "send_timeout", "set_header", "socket_keepalive",
        "split_path_info", "store_access", "temp_file_write_size", "temp_path",
    ];

    /// <summary>What turns a module on, and the word that leaves it off.</summary>
    private static readonly (string Name, string Off)[] Switches =
    [
        ("http2", "off"), ("http3", "off"), ("image_filter", "off"), ("mirror", "off"),
        ("proxy_cache", "off"), ("random_index", "off"), ("slice", "0"), ("ssi", "off"),
        ("ssl", "off"), ("userid", "off"), ("fastcgi_cache", "off"), ("scgi_cache", "off"),
        ("uwsgi_cache", "off"),
    ];

    private static readonly string[] Others =
    [
        "http2_body_preread_size", "http2_chunk_size", "http2_idle_timeout",
        "http2_max_concurrent_pushes", "http2_max_concurrent_streams", "http2_max_field_size",
        "http2_max_header_size", "http2_max_requests", "http2_push_preload",
        "http2_recv_buffer_size", "http2_recv_timeout", "mirror_request_body",
    ];

    public static FrozenSet<DirectiveRule> Directives { get; } = ((DirectiveRule[])
    [
        .. Tls.Select(name => Setting(name) with { Contexts = Servers }),
        .. TlsFlags.Select(name => Setting(name) with
        {
            Contexts = Servers, Kind = ValueKind.Flag, MaxArguments = 1,
        }),
        .. from proxy in (string[])["proxy", "grpc", "uwsgi"]
           from name in ProxyTls
           select Setting($"{proxy}_{name}"),
        .. from proxy in (string[])["proxy", "grpc", "uwsgi"]
           from name in ProxyTlsFlags
           select Setting($"{proxy}_{name}") with { Kind = ValueKind.Flag, MaxArguments = 1 },
        .. from proxy in (string[])["proxy", "fastcgi", "uwsgi", "scgi"]
           from name in Cache
           select Setting($"{proxy}_{name}"),
        .. from proxy in (string[])["fastcgi", "uwsgi", "scgi", "grpc", "memcached"]
           from name in Passing
           where UnsupportedDirectives.Names.Contains($"{proxy}_{name}")
           select Setting($"{proxy}_{name}"),
        .. Switches.Select(one => Setting(one.Name) with
        {
            MaxArguments = 1, MayRepeat = false, OffWord = one.Off,
        }),
        .. Others.Select(name => Setting(name)),
    ]).ToFrozenSet();

    private static DirectiveRule Setting(string name) =>
        new(name, Anywhere | StreamAnywhere, 1, -1) { MayRepeat = true, HasNoEffect = true };
}
