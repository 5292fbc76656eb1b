using System.Text.RegularExpressions;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>Lines of both kinds of logs.</summary>
public sealed partial class LogAgreementTests
{
    [Fact]
    public async Task Access_logs()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(
            """
            log_format short '$request_method $uri $status';
            log_format json escape=json '{"agent":"$http_user_agent","none":"$arg_none"}';
            log_format none escape=none '[$http_user_agent]';
            access_log logs/all.log;
            server {
                listen 127.0.0.1:%%PORT_0%%;
                location / { return 200 ok; }
                location /two {
                    access_log logs/all.log;
                    access_log logs/short.log short;
                    return 204;
                }
                location /off { access_log off; return 200 ok; }
                location /json { access_log logs/json.log json; return 200 ok; }
                location /none { access_log logs/none.log none; return 200 ok; }
                location /if { access_log logs/if.log short if=$arg_log; return 200 ok; }
                location /name { access_log logs/$arg_name.log short; return 200 ok; }
                location /buffer { access_log logs/buffer.log short buffer=4k; return 200 ok; }
            }
            """);
        string[] uris =
        [
            "/a?b=c", "/two", "/off", "/json", "/none", "/if?log=0", "/if", "/if?log=1",
            "/name?name=x", "/name?name=y", "/buffer", "/%41%20",
        ];
        foreach (string uri in uris)
        {
            // Values in JSON that are no UTF-8 are made valid here, and passed on by nginx.
            string agent = uri == "/json" ? "a\"b\\c" : "a\"b\\c\u00e9\td";
            await pair.AskBothAsync(NginxPair.Get(
                uri, $"User-Agent: {agent}\r\nReferer: http://r/\r\n"));
        }

        await EndAsync(pair);
        foreach (string log in (string[])["all", "short", "json", "none", "if", "x", "y"])
        {
            Read(pair.Tessera, log).ShouldBe(Read(pair.Nginx, log), log);
        }
    }

    [Fact]
    public async Task Error_logs()
    {
        int refused = FreePorts.Next();
        await using NginxPair pair = await NginxPair.StartHttpAsync(
            $$"""
            server {
                listen 127.0.0.1:%%PORT_0%%;
                server_name named.example;
                location /refused { proxy_pass http://127.0.0.1:{{refused}}; }
                location /own { error_log logs/own.log; root html; }
                location /quiet { log_not_found off; root html; }
            }
            """);
        foreach (string uri in (string[])["/refused?a=b", "/own/x", "/quiet/x"])
        {
            await pair.AskBothAsync(NginxPair.Get(uri, "Referer: http://r/\r\n"));
        }

        await EndAsync(pair);
        foreach (string log in (string[])["error", "own"])
        {
            Errors(pair.Tessera, log).ShouldBe(Errors(pair.Nginx, log));
        }
    }

    private static async Task EndAsync(NginxPair pair)
    {
        await pair.Nginx.SignalAsync("QUIT");
        await pair.Tessera.SignalAsync("QUIT");
        await pair.Nginx.WaitAsync();
        await pair.Tessera.WaitAsync();
    }

    private static string Read(NginxServer server, string log) =>
        Time().Replace(server.ReadFile($"logs/{log}.log"), "[time]");

    /// <summary>What went wrong, without when and who.</summary>
    private static string Errors(NginxServer server, string log) => string.Join('\n',
        from line in server.ReadFile($"logs/{log}.log").Split('\n')
        where line.Contains("[error]", StringComparison.Ordinal)
        select server.Normalize(Who().Replace(line, "")));

    [GeneratedRegex(@"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]")]
    private static partial Regex Time();

    [GeneratedRegex(@"^\S+ \S+ (?=\[)|\d+#\d+: |(?<=^.*)\*\d+ ")]
    private static partial Regex Who();
}
