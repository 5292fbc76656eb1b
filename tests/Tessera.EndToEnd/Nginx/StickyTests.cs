using System.Text.RegularExpressions;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>
/// Clients that stay with their servers: sticky, which Debian's nginx has not. What is expected is
/// what nginx's documentation says.
/// </summary>
public sealed partial class StickyTests : IDisposable
{
    private const string Servers =
        "server 127.0.0.1:%%PORT_1%% route=a; server 127.0.0.1:%%PORT_2%% route=b;";

    private const string Configuration =
        $$"""
        events { }
        http {
            upstream marked {
                {{Servers}}
                sticky cookie srv expires=1h domain=$arg_d path=/ httponly;
            }
            upstream named { {{Servers}} sticky route $cookie_at $arg_at; }
            upstream learnt {
                {{Servers}}
                sticky learn create=$upstream_cookie_sid lookup=$cookie_sid zone=sids:64k;
            }
            server { listen 127.0.0.1:%%PORT_1%%; add_header Set-Cookie sid=one; return 200 1; }
            server { listen 127.0.0.1:%%PORT_2%%; add_header Set-Cookie sid=two; return 200 2; }
            server {
                listen 127.0.0.1:%%PORT_0%%;
                location /marked { proxy_pass http://marked; }
                location /named { proxy_pass http://named; }
                location /learnt { proxy_pass http://learnt; }
            }
        }
        """;

    private readonly string _links = Directory.CreateTempSubdirectory("tessera-link-").FullName;

    public void Dispose() => Directory.Delete(_links, recursive: true);

    [Fact]
    public async Task Clients_stay_by_cookie_by_route_and_by_what_is_learnt()
    {
        string link = Path.Combine(_links, "nginx");
        File.CreateSymbolicLink(link, Repository.Binary);
        await using NginxServer server = await NginxServer.StartAsync(
            link, Configuration, new Dictionary<string, string>());

        // (1) The cookie names the server, and comes with every answer.
        string answer = await server.AskAsync(NginxPair.Get("/marked?d=a.example"));
        Cookie().Match(answer).Value.ShouldMatch(
            "^srv=[ab]; expires=..., ..-...-.. ..:..:.. GMT; max-age=3600; domain=a[.]example; "
            + "httponly; path=/$");
        (await AskAsync(server, "/marked", "srv=b", 4)).ShouldBe("2222");
        (await AskAsync(server, "/marked", "srv=a", 4)).ShouldBe("1111");
        (await AskAsync(server, "/marked", "srv=c", 4)).ShouldBeOneOf("1212", "2121");

        // (2) The first text that is not empty names it.
        (await AskAsync(server, "/named?at=a", "at=b", 3)).ShouldBe("222");
        (await AskAsync(server, "/named?at=a", "", 3)).ShouldBe("111");

        // (3) The server that gave the cookie keeps its client.
        (await AskAsync(server, "/learnt", "sid=new", 4)).ShouldBe("1212");
        (await AskAsync(server, "/learnt", "sid=two", 3)).ShouldBe("222");
        (await AskAsync(server, "/learnt", "sid=one", 3)).ShouldBe("111");
    }

    private static async Task<string> AskAsync(
        NginxServer server, string uri, string cookie, int times)
    {
        string all = "";
        for (int i = 0; i < times; i++)
        {
            string answer = await server.AskAsync(
                NginxPair.Get(uri, cookie.Length == 0 ? "" : $"Cookie: {cookie}\r\n"));
            all += answer[^1];
        }

        return all;
    }

    [GeneratedRegex("(?<=Set-Cookie: )srv=[^\r]*")]
    private static partial Regex Cookie();
}
