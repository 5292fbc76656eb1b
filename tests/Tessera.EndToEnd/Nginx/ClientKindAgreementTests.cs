using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>What the server makes of who asks: browsers, users in files, odd methods.</summary>
public sealed class ClientKindAgreementTests
{
    private const string Locations =
        """
        map $sent_http_content_type $lasts { default off; text/css max; }
        server {
            listen 127.0.0.1:%%PORT_0%%;
            location /known {
                modern_browser msie 5.5; modern_browser gecko 1.0.0; modern_browser opera 7;
                return 200 "$modern_browser|$ancient_browser|$msie";
            }
            location /unlisted {
                modern_browser unlisted; ancient_browser Lynx netscape4;
                ancient_browser_value old; modern_browser_value new;
                return 200 "$modern_browser|$ancient_browser|$msie";
            }
            location /users {
                auth_basic r; auth_basic_user_file $arg_f; alias html/;
            }
            location /style {
                expires $lasts; default_type text/css; add_header X-Type $sent_http_content_type;
                add_header X-One a; add_header X-Two $sent_http_x_one; return 200 x;
            }
            location /text { expires $lasts; return 200 x; }
            location /method { return 200 x; }
        }
        """;

    private static readonly Dictionary<string, string> Files = new()
    {
        ["users"] = "a:{PLAIN}b\n# c\n",
        ["html/i"] = "in",
    };

    [Fact]
    public async Task Tells_browsers_apart_as_nginx_does()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Locations, Files);
        string[] agents =
        [
            "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
            "Mozilla/4.0 (compatible; MSIE 4.0; Windows 95) with more text behind it",
            "Opera/9.0 (X11; Linux i686; U; en) and more text behind it",
            "Mozilla/5.0 (Windows; U; Windows NT 5.0; en-US; rv:1.7) Gecko/2004",
            "Mozilla/5.0 (Windows; U; Windows NT 5.0; en-US; rv:0.9) Gecko/2001",
            "Mozilla/4.72 [en] (X11; U; Linux 2.2.5-15 i686) with more text behind it",
            "Lynx/2.8.5rel.1 libwww-FM/2.14 SSL-MM/1.4.1 and more",
        ];
        await pair.ShouldAgreeAsync(
            from agent in agents
            from path in (string[])["/known", "/unlisted"]
            select NginxPair.Get(path, $"User-Agent: {agent}\r\n"));
        await pair.ShouldAgreeAsync([NginxPair.Get("/known"), NginxPair.Get("/unlisted")]);
    }

    [Fact]
    public async Task Reads_the_users_of_the_file_that_a_request_names()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Locations, Files);
        string[] credentials =
            ["", "Authorization: Basic YTpi\r\n", "Authorization: Basic YTpj\r\n"];
        await pair.ShouldAgreeAsync(
            from fields in credentials
            from file in (string[])["users", "none", "html", ""]
            select NginxPair.Get($"/users/i?f={file}", fields));
        foreach (string prefix in (string[])[pair.Nginx.Prefix, pair.Tessera.Prefix])
        {
            await File.AppendAllTextAsync(prefix + "users", "a2:{PLAIN}b\n");
        }

        await pair.ShouldAgreeAsync(
            [NginxPair.Get("/users/i?f=users", "Authorization: Basic YTI6Yg==\r\n")]);
    }

    [Fact]
    public async Task Knows_the_fields_of_an_answer_while_it_is_made()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Locations, Files);
        await pair.ShouldAgreeAsync([NginxPair.Get("/style"), NginxPair.Get("/text")]);
    }

    [Fact]
    public async Task Refuses_methods_that_lead_elsewhere()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Locations, Files);
        string next = NginxPair.Get("/method");
        await pair.ShouldAgreeAsync(
        [
            "TRACE /method HTTP/1.1\r\nHost: a\r\n\r\n" + next,
            "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n" + next,
        ]);
    }
}
