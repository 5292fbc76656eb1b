using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>What happens to bodies on their way, byte for byte as with nginx.</summary>
public sealed class BodyFilterAgreementTests
{
    private const string Http =
        """
        charset_map koi8-r utf-8 { C0 D18E; C1 D0B0; C2 D0B1; }
        charset_map koi8-r windows-1251 { C0 FE; C1 E0; C2 E1; }
        types { text/html html; text/plain txt; image/gif gif; }
        limit_req_zone $arg_k zone=rate:1m rate=1r/m;
        limit_conn_zone $arg_k zone=crowd:1m;
        server {
            listen 127.0.0.1:%%PORT_0%%;
            root html;
            location /koi/ { alias %%PREFIX%%/html/; charset koi8-r; source_charset utf-8; }
            location /same/ { alias %%PREFIX%%/html/; charset utf-8; source_charset UTF-8; }
            location /bytes/ {
                alias %%PREFIX%%/html/; charset windows-1251; source_charset koi8-r;
            }
            location /over/ {
                charset koi8-r; override_charset on;
                proxy_pass http://127.0.0.1:%%PORT_1%%/utf/;
            }
            location /asked/ {
                source_charset utf-8; proxy_pass http://127.0.0.1:%%PORT_1%%/asks/;
            }
            location /page { charset koi8-r; source_charset utf-8; return 404; }
            location /gunzip/ {
                gunzip on; gzip_vary on; proxy_http_version 1.1;
                proxy_set_header Accept-Encoding gzip; proxy_set_header Connection "";
                proxy_pass http://127.0.0.1:%%PORT_1%%/gzip/;
            }
            location /gunsub/ {
                gunzip on; sub_filter_types *; sub_filter 1 ONE; sub_filter_once off;
                proxy_http_version 1.1; proxy_set_header Accept-Encoding gzip;
                proxy_set_header Connection "";
                proxy_pass http://127.0.0.1:%%PORT_1%%/gzip/;
            }
            location /subbed/ {
                sub_filter_types *; sub_filter 1 ONE; proxy_pass http://127.0.0.1:%%PORT_1%%/;
            }
            location /trailers/ {
                alias %%PREFIX%%/html/; add_trailer X-A $uri; add_trailer X-B $sent_trailer_x_a;
                add_trailer X-C $sent_http_accept_ranges always; add_trailer X-D '';
            }
            location /told/ {
                add_trailer X-L $upstream_response_length; add_trailer X-S $upstream_status;
                proxy_pass http://127.0.0.1:%%PORT_1%%/;
            }
            location /text { add_trailer X-A a; return 200 hello; }
            location /list/ { alias %%PREFIX%%/html/sub/; autoindex on; sub_filter Index X; }
            location /validators/ {
                alias %%PREFIX%%/html/; add_header Last-Modified ""; add_header ETag '"x"';
            }
            location /pixel { empty_gif; }
            location /rate { limit_req zone=rate; add_header X-L "$limit_req_status" always; }
            location /try {
                limit_req zone=rate; limit_req_dry_run on;
                add_header X-L "$limit_req_status $limit_conn_status" always; return 204;
            }
            location /crowd {
                limit_conn crowd 1; add_header X-L "$limit_conn_status" always;
                proxy_pass http://127.0.0.1:%%PORT_1%%/;
            }
            location /links/ { disable_symlinks on; }
            location /owned/ { alias %%PREFIX%%/html/links/; disable_symlinks if_not_owner; }
            location /from/ {
                alias %%PREFIX%%/html/links/; disable_symlinks on from=$document_root;
            }
            location /safari { keepalive_disable safari; return 200 x; }
            location /kept { return 200 x; }
        }
        server {
            listen 127.0.0.1:%%PORT_1%%;
            root html;
            location /utf/ { alias %%PREFIX%%/html/; charset utf-8; }
            location /asks/ { alias %%PREFIX%%/html/; add_header X-Accel-Charset koi8-r; }
            location /gzip/ {
                alias %%PREFIX%%/html/; gzip on; gzip_min_length 0; gzip_types *;
            }
        }
        """;

    private static readonly Dictionary<string, string> Files = new()
    {
        ["html/a.txt"] = "1 2 1 2",
        ["html/e.txt"] = "",
        ["html/a.html"] = "юа ☃ 😀",
        ["html/a.gif"] = "GIF",
        ["html/sub/b.txt"] = "b",
        ["html/links/a.txt"] = "a",
    };

    [Fact]
    public async Task Bodies_are_recoded_inflated_and_followed_by_trailers_as_with_nginx()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Http, Files);
        string[] uris =
        [
            "/koi/a.html", "/koi/a.txt", "/koi/a.gif", "/koi/e.txt", "/same/a.html",
            "/bytes/a.html", "/over/a.html", "/asked/a.html", "/page", "/gunzip/a.txt",
            "/gunzip/e.txt", "/gunsub/a.txt", "/subbed/a.txt", "/subbed/e.txt",
            "/trailers/a.txt", "/trailers/none", "/trailers/e.txt", "/told/a.txt", "/text",
            "/list/", "/validators/a.txt", "/pixel",
        ];
        await pair.ShouldAgreeAsync(uris.SelectMany(uri => new[]
        {
            NginxPair.Get(uri),
            $"GET {uri} HTTP/1.0\r\n\r\n",
            $"HEAD {uri} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        }));
        await pair.ShouldAgreeAsync(
        [
            NginxPair.Get("/bytes/a.txt", "Range: bytes=2-4\r\n"),
            NginxPair.Get("/koi/a.html", "Range: bytes=2-4\r\n"),
            NginxPair.Get("/pixel", "If-Modified-Since: Mon, 28 Sep 1970 06:00:00 GMT\r\n"),
            "POST /pixel HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        ]);
    }

    [Fact]
    public async Task Limits_links_and_browsers_are_what_they_are_with_nginx()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Http, Files);
        foreach (string prefix in new[] { pair.Nginx.Prefix, pair.Tessera.Prefix })
        {
            string folder = Path.Combine(prefix, "html/links");
            File.CreateSymbolicLink(Path.Combine(folder, "own"), "a.txt");
            File.CreateSymbolicLink(Path.Combine(folder, "other"), "/proc/version");
            File.CreateSymbolicLink(Path.Combine(folder, "folder"), "../sub");
        }

        await pair.ShouldAgreeAsync(
        [
            NginxPair.Get("/rate/?k=1"), NginxPair.Get("/rate/?k=1"), NginxPair.Get("/rate/"),
            NginxPair.Get("/try?k=2"), NginxPair.Get("/try?k=2"), NginxPair.Get("/try"),
            NginxPair.Get("/crowd/a.txt?k=1"), NginxPair.Get("/crowd/a.txt"),
            .. from folder in new[] { "/links/", "/owned/", "/from/" }
               from name in new[] { "a.txt", "own", "folder/b.txt", "folder", "a.txt/", "none" }
               select NginxPair.Get(folder + name),
        ]);
        const string Safari = "User-Agent: Mac OS X Safari/7\r\n";
        const string Msie = "User-Agent: MSIE 5.0\r\nContent-Length: 0\r\n";
        string last = NginxPair.Get("/kept");
        await pair.ShouldAgreeAsync(
        [
            $"GET /safari HTTP/1.1\r\nHost: a\r\n{Safari}\r\n{last}",
            $"GET /kept HTTP/1.1\r\nHost: a\r\n{Safari}\r\n{last}",
            $"POST /kept HTTP/1.1\r\nHost: a\r\n{Msie}\r\n{last}",
            $"POST /safari HTTP/1.1\r\nHost: a\r\n{Msie}\r\n{last}",
        ]);
    }
}
