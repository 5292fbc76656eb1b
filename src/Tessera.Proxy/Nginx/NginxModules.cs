using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>Which of nginx's modules this program has, as its build options name them.</summary>
public static class NginxModules
{
    /// <summary>Modules that nginx has only when asked for, and a directive of each.</summary>
    private static readonly (string Module, string Directive, NginxContext Context)[] Optional =
    [
        ("http_ssl_module", "ssl_certificate", NginxContext.Server),
        ("http_v2_module", "http2", NginxContext.Server),
        ("http_v3_module", "http3", NginxContext.Server),
        ("http_realip_module", "set_real_ip_from", NginxContext.Server),
        ("http_addition_module", "add_before_body", NginxContext.Location),
        ("http_dav_module", "dav_methods", NginxContext.Location),
        ("http_flv_module", "flv", NginxContext.Location),
        ("http_mp4_module", "mp4", NginxContext.Location),
        ("http_gunzip_module", "gunzip", NginxContext.Location),
        ("http_gzip_static_module", "gzip_static", NginxContext.Location),
        ("http_auth_request_module", "auth_request", NginxContext.Location),
        ("http_random_index_module", "random_index", NginxContext.Location),
        ("http_secure_link_module", "secure_link", NginxContext.Location),
        ("http_slice_module", "slice", NginxContext.Location),
        ("http_stub_status_module", "stub_status", NginxContext.Location),
        ("http_sub_module", "sub_filter", NginxContext.Location),
        ("stream", "stream", NginxContext.Main),
        ("stream_ssl_module", "ssl_certificate", NginxContext.StreamServer),
        ("stream_realip_module", "set_real_ip_from", NginxContext.StreamServer),
        ("stream_ssl_preread_module", "ssl_preread", NginxContext.StreamServer),
    ];

    /// <summary>Modules that nginx has unless asked not to, and a directive of each.</summary>
    private static readonly (string Module, string Directive, NginxContext Context)[] Usual =
    [
        ("http_charset_module", "charset", NginxContext.Location),
        ("http_gzip_module", "gzip", NginxContext.Location),
        ("http_ssi_module", "ssi", NginxContext.Location),
        ("http_userid_module", "userid", NginxContext.Location),
        ("http_access_module", "allow", NginxContext.Location),
        ("http_auth_basic_module", "auth_basic", NginxContext.Location),
        ("http_mirror_module", "mirror", NginxContext.Location),
        ("http_autoindex_module", "autoindex", NginxContext.Location),
        ("http_geo_module", "geo", NginxContext.Http),
        ("http_map_module", "map", NginxContext.Http),
        ("http_split_clients_module", "split_clients", NginxContext.Http),
        ("http_referer_module", "valid_referers", NginxContext.Location),
        ("http_rewrite_module", "rewrite", NginxContext.Location),
        ("http_proxy_module", "proxy_pass", NginxContext.Location),
        ("http_fastcgi_module", "fastcgi_pass", NginxContext.Location),
        ("http_uwsgi_module", "uwsgi_pass", NginxContext.Location),
        ("http_scgi_module", "scgi_pass", NginxContext.Location),
        ("http_grpc_module", "grpc_pass", NginxContext.Location),
        ("http_memcached_module", "memcached_pass", NginxContext.Location),
        ("http_limit_conn_module", "limit_conn", NginxContext.Location),
        ("http_limit_req_module", "limit_req", NginxContext.Location),
        ("http_empty_gif_module", "empty_gif", NginxContext.Location),
        ("http_browser_module", "ancient_browser", NginxContext.Location),
        ("http_tunnel_module", "tunnel_pass", NginxContext.Location),
        ("http_upstream_hash_module", "hash", NginxContext.Upstream),
        ("http_upstream_ip_hash_module", "ip_hash", NginxContext.Upstream),
        ("http_upstream_least_conn_module", "least_conn", NginxContext.Upstream),
        ("http_upstream_least_time_module", "least_time", NginxContext.Upstream),
        ("http_upstream_random_module", "random", NginxContext.Upstream),
        ("http_upstream_keepalive_module", "keepalive", NginxContext.Upstream),
        ("http_upstream_zone_module", "zone", NginxContext.Upstream),
        ("http_upstream_sticky_module", "sticky", NginxContext.Upstream),
        ("http-cache", "proxy_cache_path", NginxContext.Http),
        ("stream_limit_conn_module", "limit_conn", NginxContext.StreamServer),
        ("stream_access_module", "allow", NginxContext.StreamServer),
        ("stream_geo_module", "geo", NginxContext.Stream),
        ("stream_map_module", "map", NginxContext.Stream),
        ("stream_split_clients_module", "split_clients", NginxContext.Stream),
        ("stream_return_module", "return", NginxContext.StreamServer),
        ("stream_pass_module", "pass", NginxContext.StreamServer),
        ("stream_set_module", "set", NginxContext.StreamServer),
        ("stream_upstream_hash_module", "hash", NginxContext.StreamUpstream),
        ("stream_upstream_least_conn_module", "least_conn", NginxContext.StreamUpstream),
        ("stream_upstream_least_time_module", "least_time", NginxContext.StreamUpstream),
        ("stream_upstream_random_module", "random", NginxContext.StreamUpstream),
        ("stream_upstream_zone_module", "zone", NginxContext.StreamUpstream),
    ];

    /// <summary>Of others than nginx's own makers, and a directive of each.</summary>
    private static readonly (string Module, string Directive, NginxContext Context)[] Foreign =
    [
        ("http_upstream_fair_module", "fair", NginxContext.Upstream),
    ];

    /// <summary>Whether the module of a file, as load_module names it, is built in.</summary>
    public static bool Has(string file) => Optional.Concat(Usual).Concat(Foreign).Any(known =>
        file == (known.Module == "stream" ? "ngx_stream_module" : $"ngx_{known.Module}")
        && DirectiveTable.Knows(known.Directive, known.Context));

    /// <summary>
    /// --with-… and --without-…: what of nginx is there, told by the directives that are
    /// understood.
    /// </summary>
    public static ImmutableArray<string> ConfigureArguments { get; } =
    [
        .. from known in Optional
           where DirectiveTable.Knows(known.Directive, known.Context)
           select $"--with-{known.Module}",
        .. from known in Usual
           where !DirectiveTable.Knows(known.Directive, known.Context)
           select $"--without-{known.Module}",
        "--without-mail_pop3_module", "--without-mail_imap_module", "--without-mail_smtp_module",
    ];
}
