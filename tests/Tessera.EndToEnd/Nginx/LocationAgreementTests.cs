using System.Text;
using System.Text.RegularExpressions;
using Shouldly;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>
/// Which location serves a request, and what scripts make of it: as nginx, on configurations and
/// URIs that are made from seeds. Texts that locations return tell where a request came to.
/// </summary>
public sealed partial class LocationAgreementTests
{
    private const int Servers = 60;
    private const int UrisOfServer = 12;

    private static readonly string[] Names = ["/", "/a", "/a/", "/ab", "/a/b", "/a/b/", "/b", "/c"];

    private static readonly string[] Expressions =
    [
        "b$", "^/a", "/(.)$", @"\.php$", "^/(?<first>[^/]+)/", "^/a/b/.", "c", "(?i)PHP",
    ];

    private static readonly string[] Segments =
        ["a", "b", "ab", "c", "x.php", "B", "%61", "..", ".", "", "a%20b", "x+y"];

    private static readonly string[] Rewrites =
    [
        "^/a/(.*)$ /b/$1", "^/b /c?r=1", "^/c(.*)$ /a$1?", "^/(.)$ /$1/$1?x=$1&u=$uri",
        "(.*)b(.*) $2/$1", "^/a/(.+)/(.+)$ /$2/$1", "^/ab /ab2", "^/loop /loop",
    ];

    private static readonly string[] Flags = ["", "last", "break", "redirect", "permanent"];

    [Fact]
    public async Task Locations_are_found_in_the_same_order()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(
            Each(seed => Locations(new Random(seed), "", 3)));
        await ShouldAgreeAsync(pair, seed => Uris(new Random(seed)));
    }

    [Fact]
    public async Task Rewrites_lead_to_the_same_place()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(
            Each(seed => Scripts(new Random(seed))));
        await ShouldAgreeAsync(pair, seed => Uris(new Random(seed)));
    }

    [Fact]
    public async Task Servers_are_chosen_by_the_same_names()
    {
        string[] names =
        [
            "one.example", "*.example", ".two.example", "www.*", "mail.*", "*.deep.two.example",
            @"~^(?<user>\w+)\.users\.net$", @"~\.net$", "\"\"",
        ];
        var servers = new StringBuilder("server { listen 127.0.0.1:%%PORT_0%%; return 200 none; }");
        foreach (string name in names)
        {
            servers.Append(
                $$"""
                server {
                    listen 127.0.0.1:%%PORT_0%%; server_name {{name}};
                    return 200 "$server_name|$host|$user";
                }

                """);
        }

        await using NginxPair pair = await NginxPair.StartHttpAsync(servers.ToString());
        string[] hosts =
        [
            "one.example", "ONE.example:81", "x.example", "a.b.example", "two.example",
            "a.two.example", "a.deep.two.example", "www.two.example", "www.x", "mail.one.example",
            "bob.users.net", "x.y.net", "other", "one.example.",
        ];
        await CompareAsync(pair, hosts.Select(host => NginxPair.Get("/", host: host)));
    }

    private static string Each(Func<int, string> body)
    {
        var text = new StringBuilder();
        for (int seed = 0; seed < Servers; seed++)
        {
            text.Append(
                $$"""
                server {
                    listen 127.0.0.1:%%PORT_0%%; server_name s{{seed}};
                    {{body(seed)}}
                }

                """);
        }

        return text.ToString();
    }

    private static async Task ShouldAgreeAsync(
        NginxPair pair, Func<int, IEnumerable<string>> urisOf) =>
        await CompareAsync(
            pair,
            from seed in Enumerable.Range(0, Servers)
            from uri in urisOf(seed)
            select NginxPair.Get(uri, host: $"s{seed}"));

    /// <summary>Status, place and text; the rest of the heads is another test's.</summary>
    private static async Task CompareAsync(NginxPair pair, IEnumerable<string> requests)
    {
        List<string> differences = [];
        foreach (string request in requests)
        {
            (string nginx, string tessera) = await pair.AskBothAsync(request);
            if (Essence(nginx) != Essence(tessera))
            {
                differences.Add($"{request.Split("\r\nConn")[0]}: {Essence(nginx)} "
                    + $"but {Essence(tessera)}");
            }
        }

        differences.ShouldBeEmpty(string.Join('\n', differences));
    }

    private static string Essence(string answer)
    {
        int end = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        string status = answer.Split(' ').ElementAtOrDefault(1) ?? answer;
        string place = Place().Match(end < 0 ? answer : answer[..end]).Groups[1].Value;
        string text = status == "200" && end >= 0 ? answer[(end + 4)..] : "";
        return $"{status} {place} {text}";
    }

    private static string Locations(Random random, string outer, int depth)
    {
        var text = new StringBuilder();
        var known = new HashSet<string>();
        for (int i = random.Next(1, 6); i > 0; i--)
        {
            bool isExpression = random.Next(3) == 0;
            string kind = isExpression ? Pick(random, "~", "~*") : Pick(random, "", "", "=", "^~");
            string name = isExpression
                ? Pick(random, Expressions)
                : (outer == "/" ? "" : outer) + Pick(random, Names);
            if (!known.Add((kind == "=" ? "=" : isExpression ? kind : "") + name))
            {
                continue;
            }

            string within = kind != "=" && !isExpression && depth > 0 && random.Next(2) == 0
                ? Locations(random, name, depth - 1)
                : "";
            text.Append($"location {kind} \"{name}\" {{ {within} ")
                .Append($"return 200 \"{depth}.{i} $uri $1\"; }}\n");
        }

        return text.ToString();
    }

    private static string Scripts(Random random)
    {
        var text = new StringBuilder();
        foreach (string name in Names.Where(_ => random.Next(2) == 0).Prepend("/loop"))
        {
            text.Append($"location {name} {{ {Steps(random)} {Steps(random)} ");
            text.Append($"return 200 \"{name} $uri $args $is_args $v\"; }}\n");
        }

        return Steps(random).Replace("\"; break;", "\";", StringComparison.Ordinal) + text;
    }

    private static string Steps(Random random)
    {
        string rewrite = $"rewrite {Pick(random, Rewrites)} {Pick(random, Flags)};";
        return random.Next(4) switch
        {
            0 => $"set $v \"${{v}}{random.Next(9)}\"; {rewrite}",
            1 => $"if ($uri {Pick(random, "~", "!~", "~*")} \"(b|c)\") {{ set $v i$1; {rewrite} }}",
            2 => $"if ($args) {{ set $args \"n=$args\"; break; }} {rewrite}",
            _ => rewrite + " set $v $uri;",
        };
    }

    private static IEnumerable<string> Uris(Random random)
    {
        for (int i = 0; i < UrisOfServer; i++)
        {
            string path = string.Concat(
                Enumerable.Range(0, random.Next(1, 4)).Select(_ => "/" + Pick(random, Segments)));
            yield return path + Pick(random, "", "", "/", "?q=1", "/?a=b%20c", "?");
        }
    }

    private static string Pick(Random random, params string[] all) => all[random.Next(all.Length)];

    [GeneratedRegex("(?m)^Location: (?:http://[^/\r\n]*)?([^\r\n]*)")]
    private static partial Regex Place();
}
