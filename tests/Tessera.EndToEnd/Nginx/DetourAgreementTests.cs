using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>
/// What is left of a request once it goes on elsewhere in its server: by a rewrite, a named
/// location, the page of an error, or what a backend says. As with nginx.
/// </summary>
public sealed class DetourAgreementTests
{
    [Fact]
    public Task A_named_location_asks_for_the_uri_as_the_client_spelt_it() => AgreeAsync(
        """
        location / { try_files /none @back; }
        location @back { proxy_pass http://origin; }
        """,
        "/p/./x", "/p//x?y", "/p/%78");

    [Fact]
    public Task A_rewrite_opens_internal_locations_and_forgets_how_the_uri_was_spelt() =>
        AgreeAsync(
            """
            rewrite ^/a/(.*)$ /within/$1;
            location /within { internal; proxy_pass http://origin; }
            """,
            "/a/b", "/a/%20", "/within/b");

    [Fact]
    public Task Groups_are_escaped_until_a_rewrite_has_been_done() => AgreeAsync(
        """
        location ~ ^/v/(.*) { set $v $1; return 200 "$v $1\n"; }
        location ~ ^/w/(.*) { rewrite ^/w(.*) /w$1; set $v $1; return 200 "$v $1\n"; }
        location ~ ^/if/(.*) { if ($arg_a = $1) { return 200 same; } return 200 other; }
        """,
        "/v/a%20b%22", "/v/a+b", "/v/ab", "/w/a%20b", "/if/a%20b?a=a%20b", "/if/ab?a=ab");

    [Fact]
    public Task An_address_that_variables_made_stays_with_its_location() => AgreeAsync(
        """
        location /p { proxy_pass http://origin$uri; }
        location /files { proxy_pass http://origin; }
        """,
        "/p/within", "/files/within");

    [Fact]
    public Task An_alias_is_inherited_with_the_text_that_it_stands_for() => AgreeAsync(
        """
        location /a/ { alias html/; location ~ b { } location /a/deep/ { } }
        location /c/ { alias html/; location ~ c/b { root html; } }
        """,
        "/a/b.txt", "/a/deep/b.txt", "/c/b.txt");

    [Fact]
    public Task A_page_that_leads_the_client_away_is_no_error_itself() => AgreeAsync(
        """
        recursive_error_pages on;
        error_page 404 http://else.where$uri;
        error_page 302 @named;
        location / { }
        location @named { return 200 named; }
        """,
        "/none");

    [Fact]
    public Task Who_asks_whether_to_go_on_is_told_so_before_a_file_but_not_before_an_error() =>
        AgreeWithAsync(
            "Expect: 100-continue\r\n",
            """
            location / { }
            location /text { return 200 text; }
            location /away { return 302 /; }
            location /error { return 404; }
            """,
            "/b.txt", "/text", "/away", "/error", "/none");

    [Fact]
    public Task What_stands_in_the_place_of_an_error_says_nothing_of_its_time() => AgreeWithAsync(
        "Range: bytes=0-0\r\n",
        """
        location /as-it-is { error_page 404 /b.txt; return 404; }
        location /well { error_page 404 =200 /b.txt; return 404; }
        """,
        "/as-it-is", "/well");

    private static Task AgreeAsync(string locations, params string[] uris) =>
        AgreeWithAsync("", locations, uris);

    /// <param name="fields">Whole lines.</param>
    private static async Task AgreeWithAsync(
        string fields, string locations, params string[] uris)
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(
            $$"""
            upstream origin { server 127.0.0.1:%%PORT_1%%; }
            server {
                listen 127.0.0.1:%%PORT_0%%;
                root html;
                {{locations}}
            }
            """,
            new Dictionary<string, string> { ["html/b.txt"] = "text", ["html/a"] = "a" });
        await using var origin = new Origin(pair.Nginx.Port(1), Answer);
        await using var own = new Origin(pair.Tessera.Port(1), Answer);
        await pair.ShouldAgreeAsync(uris.Select(uri => NginxPair.Get(uri, fields)));
    }

    /// <summary>What it was asked for; "/p/within" leads to a file of the server.</summary>
    private static string Answer(string request)
    {
        string line = request.Split('\r')[0];
        string within = line.Contains(" /p/within", StringComparison.Ordinal)
            ? "X-Accel-Redirect: /files/there\r\n"
            : "";
        return $"HTTP/1.1 200 OK\r\nConnection: close\r\n{within}Content-Length: {line.Length}"
            + $"\r\n\r\n{line}";
    }
}
