using System.Runtime.CompilerServices;
using Shouldly;
using Tessera.Proxy.Nginx;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

/// <summary>Values are checked where they stand, whether or not anything uses them.</summary>
public class DirectiveCheckTests
{
    private const string Server = "server { listen 127.0.0.1:9; }";

    [Theory]
    [InlineData("gzip_comp_level 10;", "value must be between 1 and 9")]
    [InlineData("gzip_proxied foo;", "invalid value \"foo\"")]
    [InlineData(
        "gzip_disable \"(\";", "pcre2_compile() failed: missing closing parenthesis in \"(\"")]
    [InlineData("sub_filter \"\" b;", "empty search pattern")]
    [InlineData("limit_req_zone $uri zone=a:1k rate=1r/s;", "zone \"zone=a:1k\" is too small")]
    [InlineData("limit_req_zone $uri zone=a rate=1r/s;", "invalid zone size \"zone=a\"")]
    [InlineData("limit_req_zone $uri zone=a:1m rate=1r/h;", "invalid rate \"rate=1r/h\"")]
    [InlineData("limit_req burst=1;", "\"limit_req\" must have \"zone\" parameter")]
    [InlineData("limit_conn a 70000;", "connection limit must be less 65536")]
    [InlineData("limit_conn_status 399;", "value must be between 400 and 599")]
    [InlineData("limit_rate x;", "\"limit_rate\" directive invalid value")]
    [InlineData("proxy_next_upstream foo;", "invalid value \"foo\"")]
    [InlineData("proxy_ignore_headers Foo;", "invalid value \"Foo\"")]
    [InlineData("proxy_limit_rate x;", "\"proxy_limit_rate\" directive invalid value")]
    [InlineData("proxy_store_access user:foo;", "invalid value \"user:foo\"")]
    [InlineData("proxy_redirect foo;", "invalid parameter \"foo\"")]
    [InlineData("proxy_cookie_domain a;", "invalid parameter \"a\"")]
    [InlineData("proxy_bind foo;", "invalid address \"foo\"")]
    [InlineData("resolver 127.0.0.1 valid=x;", "invalid parameter: valid=x")]
    [InlineData("resolver 127.0.0.1:99999;", "invalid port in resolver \"127.0.0.1:99999\"")]
    [InlineData("set_real_ip_from foo;", "host not found in set_real_ip_from \"foo\"")]
    [InlineData("allow foo;", "invalid parameter \"foo\"")]
    [InlineData("error_page 200 /x;", "value \"200\" must be between 300 and 599")]
    [InlineData("add_header X Y Z;", "invalid parameter \"Z\"")]
    [InlineData("expires foo;", "\"expires\" directive invalid value")]
    [InlineData(
        "expires @25h;", "\"expires\" directive daily time value must be less than 24 hours")]
    [InlineData(
        "expires modified @5h;",
        "\"expires\" directive daily time cannot be used with \"modified\" parameter")]
    [InlineData("server_tokens foo;", "invalid value \"foo\"")]
    [InlineData("directio x;", "\"directio\" directive invalid value")]
    [InlineData("open_file_cache max=x;", "invalid \"open_file_cache\" parameter \"max=x\"")]
    [InlineData("index a \"\" b;", "index \"a\" in \"index\" directive is invalid")]
    [InlineData("connection_pool_size 1;", "the pool size must be no less than 112")]
    [InlineData("client_body_temp_path b x;", "\"client_body_temp_path\" directive invalid value")]
    [InlineData("map $uri $b { hostnames; ..a 1; }", "invalid hostname or wildcard \"..a\"")]
    [InlineData("upstream u { server 127.0.0.1; zone a 1k; }", "zone \"a\" is too small")]
    [InlineData("upstream u { server 127.0.0.1; zone a x; }", "invalid zone size \"x\"")]
    [InlineData("upstream u { server 127.0.0.1 backup; }", "no servers in upstream \"u\"")]
    [InlineData(
        "access_log syslog:server=unix:;",
        "no path in the unix domain socket in syslog server \"unix:\"")]
    [InlineData("ssl_prefer_server_ciphers maybe;", "invalid value \"maybe\" in "
        + "\"ssl_prefer_server_ciphers\" directive, it must be \"on\" or \"off\"")]
    [InlineData("proxy_cache zone;", "directive \"proxy_cache\" is not supported by Tessera")]
    [InlineData("mirror /a;", "directive \"mirror\" is not supported by Tessera")]
    public void What_no_server_uses_is_checked_where_it_stands(string line, string message) =>
        NginxText.ErrorOf(line + "\n" + Server).ShouldBe($"{message} in nginx.conf:2");

    [Theory]
    [InlineData("proxy_buffers 1 4k;", "there must be at least 2 \"proxy_buffers\"")]
    [InlineData(
        "proxy_buffer_size 1m;",
        "\"proxy_busy_buffers_size\" must be less than the size of all \"proxy_buffers\" "
        + "minus one buffer")]
    [InlineData(
        "proxy_max_temp_file_size 1k;",
        "\"proxy_max_temp_file_size\" must be equal to zero to disable temporary files usage or "
        + "must be equal to or greater than the maximum of the value of \"proxy_buffer_size\" "
        + "and one of the \"proxy_buffers\"")]
    [InlineData(
        "large_client_header_buffers 4 100;",
        "the \"large_client_header_buffers\" size must be equal to or greater than "
        + "\"connection_pool_size\"")]
    public void What_does_not_fit_together_is_told_at_the_end_of_the_block(
        string line, string message) =>
        NginxText.ErrorOf(line + "\n" + Server).ShouldBe($"{message} in nginx.conf:4");

    [Fact]
    public void What_a_server_sets_right_is_right() => NginxText.ErrorOf(
        "proxy_buffers 1 4k; server { listen 127.0.0.1:9; proxy_buffers 8 4k; }").ShouldBe("");

    [Theory]
    [InlineData("limit_req zone=nosuch;")]
    [InlineData("limit_conn nosuch 1;")]
    public void A_zone_that_nobody_defines_is_told_behind_the_syntax(string line) =>
        NginxText.ErrorOf(line + Server).ShouldBe("zero size shared memory zone \"nosuch\"");

    [Theory]
    [InlineData("ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;")]
    [InlineData("ssl_session_cache shared:a:1m; ssl_certificate a; ssl_certificate_key b;")]
    [InlineData("proxy_ssl_verify on; proxy_ssl_server_name on; proxy_ssl_name a;")]
    [InlineData("proxy_cache off; mirror off; proxy_cache_valid 200 1m; ssi off;")]
    [InlineData("fastcgi_temp_path /a 1 2; uwsgi_temp_path /b; scgi_temp_path /c;")]
    [InlineData("fastcgi_buffers 8 4k; fastcgi_param A B;")]
    [InlineData("client_body_temp_path b 9;")]
    [InlineData("limit_req_zone $uri zone=a:1m rate=1;")]
    [InlineData("server { listen 127.0.0.1:10; if ($uri = \"\") { } if ($uri = '' ) { } }")]
    [InlineData("upstream u { server 127.0.0.1; zone a 64k; zone b 64k; }")]
    [InlineData("log_format a '$ssl_protocol $ssl_cipher $http2 $gzip_ratio $arg_ $http_';")]
    [InlineData("server { listen 127.0.0.1:10; location @a { } location @a { } }")]
    [InlineData("server { listen 127.0.0.1:10; server_name a a; }")]
    public void What_nginx_takes_without_a_word_is_taken(string line) => Warn(line).ShouldBeEmpty();

    [Theory]
    [InlineData("allow 10.0.0.5/8;", "low address bits of 10.0.0.5/8 are meaningless")]
    [InlineData("set_real_ip_from 10.0.0.1/8;", "low address bits of 10.0.0.1/8 are meaningless")]
    [InlineData("geo $a { 10.1.2.3/8 1; }", "low address bits of 10.1.2.3/8 are meaningless")]
    [InlineData(
        "geo $a { 10.0.0.0/8 1; 10.0.0.0/8 2; }",
        "duplicate network \"10.0.0.0/8\", value: \"2\", old value: \"1\"")]
    [InlineData(
        "types { text/html html; text/plain html; }",
        "duplicate extension \"html\", content type: \"text/plain\", "
        + "previous content type: \"text/html\"")]
    [InlineData("gzip_types text/html;", "duplicate MIME type \"text/html\"")]
    [InlineData("gzip_types text/css text/css;", "duplicate MIME type \"text/css\"")]
    [InlineData("proxy_ignore_headers Expires Expires;", "duplicate value \"Expires\"")]
    [InlineData(
        "upstream u { server 127.0.0.1; keepalive 1; ip_hash; }",
        "load balancing method redefined")]
    public void What_is_odd_is_warned_of(string line, string warning) =>
        Warn(line).ShouldHaveSingleItem().ShouldStartWith(warning + " in ");

    [Theory]
    [InlineData("rewrite a \"\";", "empty replacement")]
    [InlineData("try_files $uri =xyz;", "invalid code \"=xyz\"")]
    [InlineData("if () { }", "invalid condition \")\"")]
    [InlineData("if ($uri = ) { }", "invalid condition \"$uri\"")]
    [InlineData("listen 127.0.0.1:10 setfib=1;", "invalid parameter \"setfib=1\"")]
    [InlineData("listen x.invalid y;",
        "host not found in \"x.invalid\" of the \"listen\" directive")]
    [InlineData("listen [::1:10;", "invalid host in \"[::1:10\" of the \"listen\" directive")]
    [InlineData("listen [xx]:10;",
        "invalid IPv6 address in \"[xx]:10\" of the \"listen\" directive")]
    [InlineData("listen 127.0.0.1:10 ssl;", "the \"ssl\" parameter is not supported by Tessera")]
    [InlineData("root $document_root;",
        "the $document_root variable cannot be used in the \"root\" directive")]
    [InlineData("location / { proxy_pass http://127.0.0.1:99999; }",
        "invalid port in upstream \"127.0.0.1:99999\"")]
    [InlineData("location / { proxy_pass http://[::1; }", "invalid host in upstream \"[::1\"")]
    [InlineData("location / { proxy_pass https://127.0.0.1; }",
        "https protocol requires SSL support")]
    [InlineData("location / { proxy_redirect default; }",
        "\"proxy_redirect default\" should be placed after the \"proxy_pass\" directive")]
    public void The_words_are_nginxs(string line, string message) =>
        NginxText.ErrorOf($"server {{\n{line}\n}}").ShouldBe($"{message} in nginx.conf:3");

    [Fact]
    public void A_value_that_is_wrong_is_told_before_what_stands_below_it() =>
        NginxText.ErrorOf("gzip_comp_level 0;\nnonesuch;")
            .ShouldBe("value must be between 1 and 9 in nginx.conf:2");

    [Fact]
    public void A_module_that_is_built_in_is_loaded_without_a_word_and_another_is_told()
    {
        const string Events = "events { }";
        ReadMain($"load_module modules/ngx_stream_module.so; {Events}").Warnings.ShouldBeEmpty();
        ReadMain($"load_module modules/ngx_http_realip_module.so; {Events}")
            .Warnings.ShouldBeEmpty();
        Should.Throw<NginxConfigException>(
            () => ReadMain($"load_module modules/ngx_http_echo_module.so; {Events}"))
            .Message.ShouldStartWith(
                "module \"ngx_http_echo_module\" is not supported by Tessera in ");
        ReadMain($"load_module modules/ngx_http_echo_module.so; {Events}", isLenient: true)
            .Warnings.ShouldHaveSingleItem();
    }

    [Theory]
    [InlineData("events { use select; }", "invalid event type \"select\"")]
    [InlineData("thread_pool a threads=0; events { }", "invalid threads value \"threads=0\"")]
    [InlineData(
        "worker_cpu_affinity 2; events { }", "invalid character \"2\" in \"worker_cpu_affinity\"")]
    [InlineData(
        "events { debug_connection foo; }", "host not found in debug_connection \"foo\"")]
    public void What_concerns_the_process_is_checked_though_it_has_no_effect(
        string text, string message) =>
        Should.Throw<NginxConfigException>(() => ReadMain(text))
            .Message.ShouldStartWith(message + " in ");

    [Fact]
    public void The_file_of_Debians_package_is_read_as_it_is()
    {
        const string Folder = "/etc/nginx";
        Assert.SkipUnless(
            File.Exists($"{Folder}/nginx.conf") && File.Exists($"{Folder}/mime.types"),
            "Debian's nginx is not installed");

        NginxConfig config = NginxReader.Read(
            new NginxSource(Folder, "nginx.conf") { IsLenient = true });

        // Modules apart, which further packages bring, nothing of it is odd.
        config.Warnings.ShouldAllBe(warning => warning.StartsWith("module \""));
        config.Proxy.Listeners.ShouldNotBeEmpty();
    }

    [Fact]
    public void The_guide_lists_what_has_no_effect()
    {
        const string Start = "- Read and without effect: ";
        string line = File.ReadLines(GuideFile()).Single(text => text.StartsWith(Start));

        string[] told = [.. line.Split('`').Where((_, i) => i % 2 == 1)];
        told.ShouldBe(told.Order(StringComparer.Ordinal));
        told.ShouldBe(DirectiveTable.WithoutEffect.Distinct().Order(StringComparer.Ordinal));
    }

    private static string GuideFile([CallerFilePath] string self = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(self)!, "../../../../docs/nginx.md"));

    private static IEnumerable<string> Warn(string line) => ReadMain(
        $"events {{ }} http {{\n{line}\n{Server}\n}}").Warnings
        .Where(text => !text.Contains("\"user\"", StringComparison.Ordinal));

    private static NginxConfig ReadMain(string text, bool isLenient = false)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("tessera-nginx-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "nginx.conf"), text + "\n");
            return NginxReader.Read(
                new NginxSource(folder.FullName, "nginx.conf") { IsLenient = isLenient });
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
