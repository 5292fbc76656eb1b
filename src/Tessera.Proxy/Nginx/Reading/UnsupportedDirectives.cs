using System.Collections.Frozen;

namespace Tessera.Proxy.Nginx;

/// <summary>Directives that nginx has and this program has not. Stateless.</summary>
internal static class UnsupportedDirectives
{
    public static FrozenSet<string> Names { get; } = new[]
    {
        "ssl_certificate", "ssl_certificate_key", "ssl_protocols", "ssl_ciphers",
        "ssl_session_cache", "ssl_session_timeout", "ssl_prefer_server_ciphers", "ssl_dhparam",
        "ssl_verify_client", "ssl_client_certificate", "ssl_stapling", "http2", "http3",
        "proxy_cache", "proxy_cache_path", "proxy_cache_valid", "proxy_cache_key",
        "proxy_cache_bypass", "proxy_no_cache", "proxy_cache_lock", "proxy_cache_methods",
        "proxy_cache_min_uses", "proxy_cache_use_stale", "proxy_cache_revalidate",
        "proxy_cache_background_update", "mirror", "mirror_request_body",
    }.ToFrozenSet(StringComparer.Ordinal);
}
