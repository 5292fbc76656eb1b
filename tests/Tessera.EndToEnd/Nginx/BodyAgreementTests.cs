using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>
/// Bodies of requests in memory and in files, and bodies of answers in odd chunks, as nginx has
/// them.
/// </summary>
public sealed class BodyAgreementTests
{
    private const string Configuration =
        """
        client_body_temp_path %%PREFIX%%/bodies 1 2;
        upstream spare { server 127.0.0.1:%%PORT_1%%; server 127.0.0.1:%%PORT_0%% backup; }
        map $uri $long { default "0123456789abcdef0123456789abcdef0123456789"; }
        map $uri $longer { default "$long$long$long$long$long$long$long$long$long$long"; }
        map $uri $longest { default "$longer$longer$longer$longer$longer$longer$longer$longer"; }
        add_header X-Body "$request_body";
        add_header X-File "$request_body_file";
        client_max_body_size 4m;
        client_body_buffer_size 2k;
        server {
            listen 127.0.0.1:%%PORT_0%%;
            location / { proxy_pass http://127.0.0.1:%%PORT_0%%/inner/; }
            location /only/ {
                client_body_in_file_only on;
                proxy_pass http://127.0.0.1:%%PORT_0%%/inner/;
            }
            location /clean/ {
                client_body_in_file_only clean;
                proxy_pass http://127.0.0.1:%%PORT_0%%/inner/;
            }
            location /off/ {
                proxy_request_buffering off;
                proxy_http_version 1.1;
                client_body_in_file_only on;
                proxy_hide_header X-Length;
                proxy_pass http://127.0.0.1:%%PORT_0%%/inner/;
            }
            location /set/ {
                proxy_set_body "<$request_body>";
                proxy_pass http://127.0.0.1:%%PORT_0%%/inner/;
            }
            location /small/ {
                client_max_body_size 1k;
                proxy_pass http://127.0.0.1:%%PORT_0%%/inner/;
            }
            location /next/ { proxy_pass http://spare/inner/; }
            location /caught/ {
                proxy_pass http://127.0.0.1:%%PORT_0%%/inner/404;
                proxy_intercept_errors on;
                error_page 404 /page;
            }
            location /page { return 200 "$request_body"; }
            location /unread { return 200 "$request_body"; }
            location /inner/ { add_header X-Length $content_length; return 200 ok; }
            location /inner/404 { return 404; }
            location /long {
                add_header X-Long $longest;
                return 200 "$longest$longest$longest$longest$longest$longest$longest";
            }
        }
        server { listen 127.0.0.1:%%PORT_1%%; return 444; }
        """;

    private static readonly string[] Places =
    [
        "/", "/only/", "/clean/", "/off/", "/set/", "/small/", "/next/", "/caught/", "/unread",
    ];

    [Fact]
    public async Task Bodies_are_kept_and_told_of_in_the_same_cases()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Configuration);
        List<string> differences = [];
        foreach (string place in Places)
        {
            foreach (int length in (int[])[place == "/only/" ? 0 : 10, 5_000])
            {
                await CompareAsync(pair, Sized(place, length), differences);
                await CompareAsync(pair, Chunked(place, length), differences);
            }
        }

        await CompareAsync(pair, Sized("/", 1_000_000), differences);
        await CompareAsync(pair, Chunked("/", 1_000_000), differences);
        await CompareAsync(pair, NginxPair.Get("/long"), differences);
        differences.ShouldBeEmpty(string.Join('\n', differences));
        Files(pair.Tessera).ShouldBe(Files(pair.Nginx));
    }

    [Fact]
    public async Task Odd_answers_reach_clients_in_the_same_bytes()
    {
        const string Proxy =
            """
            server {
                listen 127.0.0.1:%%PORT_0%%;
                location / { proxy_pass http://127.0.0.1:%%PORT_1%%; proxy_http_version 1.1; }
            }
            """;
        const string Head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
        string[] answers =
        [
            $"{Head}\r\n5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
            $"{Head}Trailer: X-T\r\n\r\n5 \r\nhello\r\n0;x\r\nX-T: 1\r\n\r\n",
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n9\nSEE-THIS\n\n0\n\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            $"{Head}\r\n5\r\nhello\r\n",
            "HTTP/2.0   299  Fine \r\nContent-Length: 2\r\n\r\nok",
            "no head at all", "HTTP/1.x 200\r\n\r\nno head", "HTTP/1",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
        ];
        await using NginxPair pair = await NginxPair.StartHttpAsync(Proxy);
        await using var forNginx = new Origin(pair.Nginx.Port(1), Answer);
        await using var forTessera = new Origin(pair.Tessera.Port(1), Answer);
        await pair.ShouldAgreeAsync(answers.SelectMany((_, i) => (string[])
        [
            NginxPair.Get($"/{i}"), $"GET /{i} HTTP/1.0\r\n\r\n",
            $"HEAD /{i} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        ]));

        string Answer(string request) => answers[request.Split(' ')[1][1] - '0'];
    }

    private static async Task CompareAsync(
        NginxPair pair, string request, List<string> differences)
    {
        (string expected, string actual) = await pair.AskBothAsync(request);
        expected = WithoutNumbers(expected);
        actual = WithoutNumbers(actual);
        if (expected != actual)
        {
            differences.Add($"=== {Cut(request)}\n<<< {Cut(expected)}\n>>> {Cut(actual)}");
        }
    }

    /// <summary>The length of each file that was left, in the order of lengths.</summary>
    private static string Files(NginxServer server) => string.Join(
        ' ',
        Directory.GetFiles(server.Prefix + "bodies", "*", SearchOption.AllDirectories)
            .Select(file => new FileInfo(file).Length)
            .Order());

    private static string Sized(string place, int length) =>
        $"POST {place} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        + $"Content-Length: {length}\r\n\r\n{new string('b', length)}";

    private static string Chunked(string place, int length) =>
        $"POST {place} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        + $"Transfer-Encoding: chunked\r\n\r\n"
        + (length > 0 ? $"{length:x}\r\n{new string('c', length)}\r\n" : "")
        + "0\r\n\r\n";

    private static string WithoutNumbers(string text) =>
        System.Text.RegularExpressions.Regex.Replace(
            text, "bodies/[0-9]/[0-9]{2}/[0-9]{10}", "bodies/NUMBER");

    private static string Cut(string text) => text.Length > 800 ? text[..800] : text;
}
