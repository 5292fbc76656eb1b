using System.Collections.Frozen;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Directives that nginx has, in one module or another, and this program may not have: one that is
/// in the table of those that are understood is never looked for here. Stateless.
/// </summary>
internal static class UnsupportedDirectives
{
    /// <summary>
    /// What proxies of other protocols have in common, each behind the protocol's name.
    /// </summary>
    private static readonly string[] Common =
    [
        "allow_upstream", "bind", "buffer_size", "buffering", "buffers", "busy_buffers_size",
        "cache", "cache_background_update", "cache_bypass", "cache_key", "cache_lock",
        "cache_lock_age", "cache_lock_timeout", "cache_max_range_offset", "cache_methods",
        "cache_min_uses", "cache_path", "cache_purge", "cache_revalidate", "cache_use_stale",
        "cache_valid", "connect_timeout", "force_ranges", "hide_header", "ignore_client_abort",
        "ignore_headers", "intercept_errors", "limit_rate", "max_temp_file_size", "next_upstream",
        "next_upstream_timeout", "next_upstream_tries", "no_cache", "param", "pass",
        "pass_header", "pass_request_body", "pass_request_headers", "read_timeout",
        "request_buffering", "send_timeout", "socket_keepalive", "store", "store_access",
        "temp_file_write_size", "temp_path",
    ];

    private static readonly string[] Others =
    [
        // ngx_http_ssl_module.
        "ssl", "ssl_alpn", "ssl_buffer_size", "ssl_certificate", "ssl_certificate_cache",
        "ssl_certificate_compression", "ssl_certificate_key", "ssl_ciphers",
        "ssl_client_certificate", "ssl_conf_command", "ssl_crl", "ssl_dhparam", "ssl_early_data",
        "ssl_ecdh_curve", "ssl_ech_file", "ssl_handshake_timeout", "ssl_key_log",
        "ssl_object_cache_inheritable", "ssl_ocsp", "ssl_ocsp_cache", "ssl_ocsp_responder",
        "ssl_password_file", "ssl_prefer_server_ciphers", "ssl_protocols", "ssl_reject_handshake",
        "ssl_session_cache", "ssl_session_ticket_key", "ssl_session_tickets",
        "ssl_session_timeout", "ssl_stapling", "ssl_stapling_file", "ssl_stapling_responder",
        "ssl_stapling_verify", "ssl_trusted_certificate", "ssl_verify_client", "ssl_verify_depth",

        // ngx_http_v2_module, ngx_http_v3_module.
        "http2", "http2_body_preread_size", "http2_chunk_size", "http2_idle_timeout",
        "http2_max_concurrent_pushes", "http2_max_concurrent_streams", "http2_max_field_size",
        "http2_max_header_size", "http2_max_requests", "http2_push", "http2_push_preload",
        "http2_recv_buffer_size", "http2_recv_timeout", "http3", "http3_hq",
        "http3_max_concurrent_streams", "http3_stream_buffer_size",
        "quic_active_connection_id_limit", "quic_bpf", "quic_gso", "quic_host_key", "quic_retry",

        // Caching and TLS of ngx_http_proxy_module.
        "proxy_cache", "proxy_cache_background_update", "proxy_cache_bypass",
        "proxy_cache_convert_head", "proxy_cache_key", "proxy_cache_lock", "proxy_cache_lock_age",
        "proxy_cache_lock_timeout", "proxy_cache_max_range_offset", "proxy_cache_methods",
        "proxy_cache_min_uses", "proxy_cache_path", "proxy_cache_purge", "proxy_cache_revalidate",
        "proxy_cache_use_stale", "proxy_cache_valid", "proxy_no_cache", "proxy_ssl",
        "proxy_ssl_alpn", "proxy_ssl_certificate", "proxy_ssl_certificate_cache",
        "proxy_ssl_certificate_key", "proxy_ssl_ciphers", "proxy_ssl_conf_command",
        "proxy_ssl_crl", "proxy_ssl_key_log", "proxy_ssl_name", "proxy_ssl_password_file",
        "proxy_ssl_protocols", "proxy_ssl_server_name", "proxy_ssl_session_reuse",
        "proxy_ssl_trusted_certificate", "proxy_ssl_verify", "proxy_ssl_verify_depth",

        // Filters and contents.
        "add_after_body", "add_before_body", "addition_types", "aio", "aio_write",
        "ancient_browser", "ancient_browser_value", "api", "auth_delay", "auth_jwt",
        "auth_jwt_claim_set", "auth_jwt_header_set", "auth_jwt_key_cache", "auth_jwt_key_file",
        "auth_jwt_key_request", "auth_jwt_leeway", "auth_jwt_require", "auth_jwt_type",
        "auth_oidc", "charset_map", "create_full_put_path", "dav_access", "dav_methods",
        "directio", "directio_alignment", "disable_symlinks", "f4f", "f4f_buffer_size", "flv",
        "geoip_city", "geoip_country", "geoip_org", "geoip_proxy", "geoip_proxy_recursive",
        "google_perftools_profiles", "gunzip", "gunzip_buffers", "health_check",
        "health_check_timeout", "hls", "hls_buffers", "hls_forward_args", "hls_fragment",
        "hls_mp4_buffer_size", "hls_mp4_max_buffer_size", "image_filter", "image_filter_buffer",
        "image_filter_interlace", "image_filter_jpeg_quality", "image_filter_sharpen",
        "image_filter_transparency", "image_filter_webp_quality", "internal_redirect",
        "js_access", "js_body_filter", "js_content", "js_fetch_buffer_size", "js_fetch_ciphers",
        "js_fetch_max_response_buffer_size", "js_fetch_protocols", "js_fetch_timeout",
        "js_fetch_trusted_certificate", "js_fetch_verify", "js_fetch_verify_depth", "js_filter",
        "js_header_filter", "js_import", "js_include", "js_path", "js_periodic",
        "js_preload_object", "js_preread", "js_set", "js_shared_dict_zone", "js_var", "keyval",
        "keyval_zone", "match", "mgmt", "mirror", "mirror_request_body", "modern_browser",
        "modern_browser_value", "mp4", "mp4_buffer_size", "mp4_limit_rate",
        "mp4_limit_rate_after", "mp4_max_buffer_size", "mp4_start_key_frame", "ntlm", "num_map",
        "oidc_provider", "otel_exporter", "otel_service_name", "otel_span_attr", "otel_span_name",
        "otel_trace", "otel_trace_context", "output_buffers", "override_charset", "perl",
        "perl_modules", "perl_require", "perl_set", "postpone_output", "proxy_half_close",
        "proxy_protocol_timeout", "queue", "random_index", "secure_link_secret", "session_log",
        "session_log_format", "session_log_zone", "slice", "source_charset", "ssi",
        "ssi_last_modified", "ssi_min_file_chunk", "ssi_silent_errors", "ssi_types",
        "ssi_value_length", "state", "status", "status_format", "status_zone",
        "sticky_cookie_insert", "upstream_conf", "userid", "userid_domain", "userid_expires",
        "userid_flags", "userid_mark", "userid_name", "userid_p3p", "userid_path",
        "userid_service", "wasm", "xclient", "xml_entities", "xslt_last_modified", "xslt_param",
        "xslt_string_param", "xslt_stylesheet", "xslt_types", "zone_sync", "zone_sync_buffers",
        "zone_sync_connect_retry_interval", "zone_sync_connect_timeout", "zone_sync_interval",
        "zone_sync_recv_buffer_size", "zone_sync_server", "zone_sync_timeout",

        // ngx_mail_*.
        "auth_http", "auth_http_header", "auth_http_pass_client_cert", "auth_http_timeout",
        "imap_auth", "imap_capabilities", "imap_client_buffer", "mail", "max_errors", "pop3_auth",
        "pop3_capabilities", "protocol", "proxy_pass_error_message", "proxy_smtp_auth",
        "smtp_auth", "smtp_capabilities", "smtp_client_buffer", "smtp_greeting_delay", "starttls",

        // What only some of the other protocols' proxies have.
        "fastcgi_catch_stderr", "fastcgi_index", "fastcgi_keep_conn", "fastcgi_send_lowat",
        "fastcgi_split_path_info", "grpc_set_header", "memcached_gzip_flag", "uwsgi_modifier1",
        "uwsgi_modifier2", "uwsgi_string", "tunnel_allow_upstream",
    ];

    public static FrozenSet<string> Names { get; } =
        Others.Concat(
            from protocol in (string[])["fastcgi", "uwsgi", "scgi", "grpc", "memcached", "tunnel"]
            from name in Common
            select $"{protocol}_{name}")
        .Concat(
            from protocol in (string[])["grpc", "uwsgi"]
            from name in Others
            where name.StartsWith("proxy_ssl", StringComparison.Ordinal)
            select protocol + name["proxy".Length..])
        .ToFrozenSet(StringComparer.Ordinal);
}
