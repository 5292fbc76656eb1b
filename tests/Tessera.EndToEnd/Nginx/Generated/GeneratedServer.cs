using System.Text;

namespace Tessera.EndToEnd.Nginx.Generated;

/// <summary>
/// One server block: what holds for all of it, and some locations, each with one content and
/// whatever changes it. Used once.
/// </summary>
internal sealed class GeneratedServer(Dice dice, int number, int upstreams)
{
    private static readonly string[] Prefixes =
        ["/", "/a", "/a/", "/ab", "/a/b", "/p", "/p/", "/files/", "/files", "/b", "/x.php"];

    private static readonly string[] Expressions =
    [
        @"\.php$", @"\.(?<extension>txt|html)$", "^/a/(.*)", "^/p/(?<rest>.+)$", "(b|c)",
        "^/files/.*a", "%|\\s",
    ];

    private static readonly string[] Targets =
        ["/a", "/b", "/p/x", "/files/a.txt", "/404.html", "/none", "/a/b?c=d", "/p/500"];

    private readonly HashSet<string> _known = [];

    public string Write()
    {
        var text = new StringBuilder();
        text.Append($"server {{ listen 127.0.0.1:%%PORT_0%%; server_name s{number}; root html;\n");
        text.Append(dice.Several(4, () => Once(Setting())));
        text.Append(dice.Several(2, () => Step() + "\n"));
        int locations = 3 + dice.Below(6);
        for (int i = 0; i < locations; i++)
        {
            text.Append(Location("", depth: 1));
        }

        _known.Clear();
        text.Append("location @named {\n").Append(dice.Several(2, () => Once(Modifier())))
            .Append(Content(isNamed: true)).Append(" }\n");
        return text.Append("}\n").ToString();
    }

    /// <summary>Nothing for a directive that the block has already.</summary>
    private string Once(string line)
    {
        string name = line.Split(' ')[0];
        bool mayRepeat = name is "add_header" or "error_page" or "allow" or "deny" or "set"
            or "rewrite" or "if" or "return" or "break" or "proxy_hide_header"
            or "proxy_pass_header" or "proxy_set_header" or "proxy_cookie_path";
        return mayRepeat || _known.Add(name) ? line + "\n" : "";
    }

    /// <summary>What may stand in a server and in a location.</summary>
    private string Setting() => dice.Below(28) switch
    {
        0 => $"add_header X-One \"{dice.Pick("1", "$uri", "$status", "$mapped", "$arg_a")}\""
            + $"{dice.Pick("", " always")};",
        1 => $"add_header {dice.Pick("X-Two", "Cache-Control", "Last-Modified", "ETag")} "
            + $"{dice.Pick("two", "$region$part", "\"\"")};",
        2 => $"error_page {dice.Pick("404", "403 404", "500 502 503 504", "413", "401", "405")} "
            + $"{dice.Pick("", "=", "=200", "=404", "=503")} {dice.Pick(Targets)};",
        3 => $"error_page {dice.Pick("404", "403", "502 503", "302")} "
            + $"{dice.Pick("", "=")} @named;",
        4 => $"error_page {dice.Pick("404", "403")} "
            + $"{dice.Pick("", "=301")} http://else.where/$uri;",
        5 => "recursive_error_pages on;",
        6 => $"expires {dice.Pick("epoch", "max", "off", "modified +1h", "-1")};",
        7 => $"client_max_body_size {dice.Pick("0", "3", "10", "1k")};",
        8 => $"default_type {dice.Pick("text/html", "application/x-thing", "text/plain")};",
        9 => $"charset {dice.Pick("utf-8", "off", "koi8-r")};",
        10 => $"absolute_redirect {dice.Pick("on", "off")};",
        11 => $"server_name_in_redirect {dice.Pick("on", "off")};",
        12 => $"port_in_redirect {dice.Pick("on", "off")};",
        13 => $"if_modified_since {dice.Pick("off", "before", "exact")};",
        14 => "etag off;",
        15 => $"max_ranges {dice.Pick("0", "1", "2")};",
        16 => "index "
            + $"{dice.Pick("a.txt", "none.html index.html", "$arg_a index.html", "/b.html")};",
        17 => $"{dice.Pick("allow", "deny")} {dice.Pick("127.0.0.1", "all", "10.0.0.0/8", "::1")};",
        18 => $"satisfy {dice.Pick("any", "all")};",
        19 => dice.Pick("server_tokens off;", "msie_padding off;", "log_not_found off;"),
        20 => $"limit_req zone={dice.Pick("slow", "keyed")}"
            + $"{dice.Pick("", " burst=2 nodelay", " burst=1 nodelay")};",
        21 => $"limit_req_status {dice.Pick("429", "503", "404")};",
        22 => "limit_req_dry_run on;",
        23 => $"auth_basic {dice.Pick("closed", "\"it is $region\"", "off")};",
        24 => $"auth_basic_user_file {dice.Pick("users", "none")};",
        25 => $"real_ip_header {dice.Pick("X-Forwarded-For", "X-Real-IP")};",
        26 => "set_real_ip_from 127.0.0.0/8;",
        _ => $"keepalive_timeout {dice.Pick("0", "10", "5 7")};",
    };

    /// <param name="isWithin">It is in an if, which has none of its own.</param>
    private string Step(bool isWithin = false) => dice.Below(7) switch
    {
        0 => $"set $v \"${{v}}{dice.Pick("1", "$uri", "$args", "$host", "$mapped", "$place")}\";",
        1 => "rewrite " + dice.Pick(
            "^/a/(.*)$ /b/$1", "^/b(.*)$ /p$1?r=1", "^/ab(.*) /files/$1?", "^/(.)$ /$1/$1?x=$1",
            "^/p/(.+)/(.+)$ /p/$2/$1", "^/x /a?u=$uri&", "^/p/r(.*)$ http://else.where/$1")
            + dice.Pick("", " last", " break", " redirect", " permanent") + ";",
        2 when !isWithin =>
            $"if ({Condition()}) {{ {dice.Several(2, () => Step(isWithin: true))} }}",
        3 when dice.Once(3) => Return(),
        4 => "set $args \"$args&s=1\";",
        5 when dice.Once(3) => "break;",
        6 when !isWithin => $"if ({Condition()}) {{ {Return()} }}",
        _ => $"set $v $1$2;",
    };

    private string Return() => dice.Pick(
        "return 200 \"text $uri $args $v $1\";", "return 404;", "return 403;", "return 301 /b$uri;",
        "return 302 http://$host/x;", "return 204;", "return 444;", "return 500 sorry;",
        "return http://else.where/;", "return 410;", "return 503;", "return 307 $scheme://a/$args;",
        "return 200;", "return 405;");

    private string Condition() => dice.Below(8) switch
    {
        0 => dice.Pick("$args", "$arg_a", "$http_x_a", "$v", "$cookie_one", "$invalid_referer"),
        1 => $"$request_method {dice.Pick("=", "!=")} {dice.Pick("GET", "POST", "HEAD")}",
        2 => $"$uri {dice.Pick("~", "!~", "~*", "!~*")} \"{dice.Pick("b(.*)", "^/A", "x$")}\"",
        3 => $"{dice.Pick("", "!")}-f $request_filename",
        4 => $"{dice.Pick("-d", "!-d", "-e", "!-e", "-x")} $document_root$uri",
        5 => $"$arg_a {dice.Pick("=", "!=")} \"{dice.Pick("1", "$arg_b", "")}\"",
        6 => $"$http_user_agent ~* {dice.Pick("chrome", "(m)sie")}",
        _ => $"$mapped = {dice.Pick("none", "1", "d")}",
    };

    /// <summary>A prefix within another location begins with that one's.</summary>
    private string Location(string outer, int depth)
    {
        bool isExpression = dice.Once(4);
        string kind = isExpression ? dice.Pick("~", "~*") : dice.Pick("", "", "", "=", "^~");
        string name = isExpression
            ? dice.Pick(Expressions)
            : outer.TrimEnd('/') + dice.Pick(Prefixes);
        if (!_known.Add($"location {(kind == "^~" ? "" : kind)} {name} {outer}")
            || !name.StartsWith(isExpression ? "" : outer, StringComparison.Ordinal))
        {
            return "";
        }

        var text = new StringBuilder($"location {kind} \"{name}\" {{\n");
        HashSet<string> around = [.. _known];
        _known.RemoveWhere(known => !known.StartsWith("location", StringComparison.Ordinal));
        text.Append(dice.Several(4, () => Once(Modifier())));
        text.Append(dice.Several(2, () => Step() + "\n"));
        if (depth > 0 && kind != "=" && !isExpression && dice.Once(4))
        {
            text.Append(Location(name, depth - 1)).Append(Location(name, depth - 1));
        }

        text.Append(Content(isNamed: false, isExpression, name, kind)).Append("\n}\n");
        _known.UnionWith(around);
        return text.ToString();
    }

    /// <summary>What may stand in a location alone, or there as well.</summary>
    private string Modifier() => dice.Below(16) switch
    {
        0 => $"proxy_set_header {dice.Pick("X-A", "Host", "X-New", "Accept")} "
            + $"{dice.Pick("\"\"", "$host", "\"v $uri\"", "$proxy_add_x_forwarded_for")};",
        1 => $"proxy_hide_header {dice.Pick("X-One", "X-Two", "Set-Cookie", "Date")};",
        2 => $"proxy_pass_header {dice.Pick("Server", "Date", "X-Accel-Expires")};",
        3 => $"proxy_intercept_errors {dice.Pick("on", "off")};",
        4 => "proxy_next_upstream " + dice.Pick(
            "error", "off", "error http_500 http_503", "http_404 error", "non_idempotent error",
            "http_502 invalid_header") + ";",
        5 => $"proxy_next_upstream_tries {dice.Pick("1", "2", "0")};",
        6 => "proxy_http_version 1.1;",
        7 => $"proxy_method {dice.Pick("GET", "POST", "$request_method")};",
        8 => $"proxy_set_body {dice.Pick("\"b $args\"", "$request_body", "\"\"")};",
        9 => $"proxy_redirect {dice.Pick("off", "http://one.example/ /one/", "~/(m)oved /$1/")};",
        10 => $"proxy_cookie_path {dice.Pick("/two/ /three/", "~^/(.)wo /$1", "/ /$arg_a")};",
        11 => $"proxy_cookie_domain {dice.Pick("one.example two.example", "off")};",
        12 => $"proxy_pass_request_{dice.Pick("body", "headers")} {dice.Pick("on", "off")};",
        13 => "internal;",
        14 => $"limit_except {dice.Pick("GET", "POST", "GET PUT")} {{ deny all; }}",
        _ => Setting(),
    };

    private string Content(
        bool isNamed, bool isExpression = false, string name = "", string kind = "")
    {
        string backend = dice.Once(5) ? "127.0.0.1:%%PORT_1%%" : $"u{dice.Below(upstreams)}";
        bool hasPlace = !isNamed && !isExpression;
        return dice.Below(12) switch
        {
            0 or 1 or 2 => $"proxy_pass http://{backend};",
            3 when hasPlace => $"proxy_pass http://{backend}{dice.Pick("/", "/base", "/b?x=1")};",
            4 => $"proxy_pass http://{backend}{dice.Pick("$uri", "$request_uri", "/v/$arg_a")};",
            5 => Return(),
            6 when !isNamed && kind != "=" && name.EndsWith('/') => "alias html/files/;",
            7 => "try_files " + dice.Pick(
                "$uri $uri/ /index.html", "$uri $uri.html =404", "$uri/ @named", "/a.txt /b.html",
                "/none$uri $uri $uri/ /p/x?t=$args", "$arg_a /404.html", "$uri $uri/ =403") + ";",
            8 => "empty_gif;",
            9 when hasPlace => $"alias html/{dice.Pick("files", "a.txt", "files/a")};",
            _ => $"root html{dice.Pick("", "/files", "/none")};",
        };
    }
}
