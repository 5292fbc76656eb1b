using System.Text;

namespace Tessera.EndToEnd.Nginx.Generated;

/// <summary>
/// The http block of a seed: upstreams, variables and limits that its servers share, and the
/// servers, each with a name of its own. Ports from 1 on are the origins', behind the last of them
/// nobody listens. Immutable.
/// </summary>
internal sealed class GeneratedConfiguration
{
    public const int Origins = 3;

    private const int Upstreams = 6;

    /// <summary>A line has the request's number first, and tabs between its values.</summary>
    private const string LogVariables =
        "$http_x_id $request $status $body_bytes_sent $request_length $uri $args $is_args "
        + "$request_uri $request_method $server_protocol $host $server_name $remote_addr "
        + "$remote_user $content_length $content_type $request_filename $document_root "
        + "$limit_rate $request_completion $upstream_addr $upstream_status "
        + "$upstream_response_length $sent_http_content_type $sent_http_content_length "
        + "$sent_http_location $sent_http_etag $sent_http_cache_control $sent_http_x_one "
        + "$upstream_http_x_one $proxy_host $proxy_port $proxy_add_x_forwarded_for $mapped "
        + "$region $part $v $invalid_referer $cookie_one $arg_a $http_x_a $bytes_sent";

    private GeneratedConfiguration(string text, IReadOnlyList<string> servers)
    {
        Text = text;
        Servers = servers;
    }

    /// <summary>The whole file.</summary>
    public string Text { get; }

    /// <summary>Each as it is written there; the first is s0.</summary>
    public IReadOnlyList<string> Servers { get; }

    /// <summary>Files of both, by name below the prefix.</summary>
    public static Dictionary<string, string> Files { get; } = new()
    {
        ["html/index.html"] = "<p>index",
        ["html/a"] = "file a",
        ["html/a.txt"] = "0123456789\n",
        ["html/b.html"] = "<p>b",
        ["html/x.php"] = "<?php",
        ["html/404.html"] = "<p>not here",
        ["html/50x.html"] = "<p>broken",
        ["html/files/index.html"] = "<p>files",
        ["html/files/large.txt"] = new string('x', 2_000) + new string('y', 2_000),
        ["html/files/a.txt"] = "abcdefghij",
        ["html/files/a b.txt"] = "space",
        ["html/files/deep/c.txt"] = "c",
        ["html/files/empty.txt"] = "",
        ["users"] = "bob:{PLAIN}secret\n",
    };

    public static GeneratedConfiguration Of(int seed, int servers)
    {
        var dice = new Dice(seed);
        var text = new StringBuilder("worker_processes 1;\nevents { }\nhttp {\n");
        string format = LogVariables.Replace(" ", "\\t", StringComparison.Ordinal);
        text.Append($"log_format all \"{format}\";\naccess_log logs/all.log all;\n");
        text.Append(Shared(dice));
        for (int i = 0; i < Upstreams; i++)
        {
            text.Append($"upstream u{i} {{ {Upstream(dice)} }}\n");
        }

        string[] all =
        [
            .. Enumerable.Range(0, servers).Select(
                number => new GeneratedServer(dice, number, Upstreams).Write()),
        ];
        text.AppendJoin('\n', all).Append("}\n");
        return new GeneratedConfiguration(text.ToString(), all);
    }

    private static string Shared(Dice dice) =>
        $$"""
        map $arg_m $mapped {
            {{dice.Pick("", "default d$arg_a;")}} a 1; ~^b(?<mb>.)$ "b$mb-$1"; ~*C c; "" none;
            \~x tilde; {{dice.Pick("", "volatile;")}}
        }
        map $host $hosted {
            hostnames; default other; s1 one; *.s2 below; .s3 three; s4.* behind;
        }
        geo $region { default far; 127.0.0.0/8 near; 127.0.0.2/31 nearer; }
        geo $arg_ip $place {
            {{dice.Pick("", "default nowhere;")}} 10.0.0.0/8 ten; 10.1.0.0/16 eleven;
            10.1.2.3 one; {{dice.Pick("", "delete 10.1.0.0/16;")}} ::1/128 six;
        }
        split_clients "{{dice.Below(9)}}$request_uri" $part { 30% x; 33.33% y; * z; }
        limit_req_zone $server_name$arg_k zone=slow:1m rate=1r/m;
        limit_req_zone $arg_k zone=keyed:1m rate=2r/m;
        limit_conn_zone $server_name zone=crowd:1m;
        {{dice.Pick("", "ignore_invalid_headers off;", "underscores_in_headers on;")}}
        {{dice.Pick("", "", "merge_slashes off;")}}
        {{dice.Pick("", "", "types { text/plain txt; text/html html; }")}}
        {{dice.Pick("", "", "large_client_header_buffers 4 1k;")}}

        """;

    /// <summary>
    /// Failures are not remembered: what one server does to them would decide what the next ones
    /// are answered. Two servers to choose among at most: with more, second tries move the turns of
    /// nginx's later requests, and here they do not (see the balancer's documentation).
    /// </summary>
    private static string Upstream(Dice dice)
    {
        string method = dice.Pick("", "", "", "least_conn;", "ip_hash;", "hash $request_uri;");
        bool mayBackUp = method is "" or "least_conn;";
        var text = new StringBuilder(method);
        int servers = 1 + dice.Below(mayBackUp ? 4 : 2);
        for (int i = 0; i < servers; i++)
        {
            // Behind the origins' ports there is one where nobody listens.
            int port = 1 + dice.Below(dice.Once(3) ? Origins + 1 : Origins);
            text.Append($" server 127.0.0.1:%%PORT_{port}%% max_fails=0")
                .Append(dice.Pick("", "", " weight=2", " weight=5"))
                .Append(dice.Once(6) ? " down" : "")
                .Append(i > 1 || (mayBackUp && i > 0 && dice.Once(4)) ? " backup" : "")
                .Append(';');
        }

        return text.Append(dice.Pick("", "", " keepalive 2;")).ToString();
    }
}
