using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>Clients that come through a proxy, which says who they are.</summary>
public sealed class ProxyProtocolAgreementTests
{
    private const string Signature = "\r\n\r\n\0\r\nQUIT\n";

    private const string Configuration =
        """
        add_header X-Client $remote_addr;
        add_header X-Proxied "$proxy_protocol_addr:$proxy_protocol_port";
        add_header X-Asked "$proxy_protocol_server_addr:$proxy_protocol_server_port";
        server {
            listen 127.0.0.1:%%PORT_0%% proxy_protocol;
            set_real_ip_from 127.0.0.0/8;
            location / { return 200 "$realip_remote_addr\n"; }
            location /named {
                real_ip_header proxy_protocol;
                deny 2001:db8::7;
                try_files /none =404;
            }
            location /forwarded { real_ip_header X-Forwarded-For; return 200 ok; }
        }
        server {
            listen 127.0.0.1:%%PORT_1%% proxy_protocol;
            set_real_ip_from 192.0.2.0/24;
            real_ip_header proxy_protocol;
            location / { try_files /none =404; }
        }
        """;

    private static readonly string[] Heads =
    [
        "PROXY TCP4 192.0.2.1 192.0.2.2 1234 5678\r\n",
        "PROXY TCP6 2001:Db8::1 2001:Db8::2 1 65535\r\n",
        "PROXY TCP6 2001:db8::7 ::1 1 2\r\n",
        "PROXY UNKNOWN\r\n",
        "PROXY UNKNOWN 1 2 3 4 5\r\n",
        Signature + "\x21\x11\0\x0C\xC0\0\x02\x01\xC0\0\x02\x02\x04\xD2\x16\x2E",
        Signature + "\x21\x11\0\x0F\xC0\0\x02\x01\xC0\0\x02\x02\x04\xD2\x16\x2E\x04\0\0",
        Signature + "\x20\0\0\0",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1234 65536\r\n",
        "PROXY TCP4 here there 1 2\r\n",
        "",
    ];

    [Fact]
    public async Task Clients_are_who_the_proxy_says_where_it_is_believed()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Configuration);
        foreach (int port in (int[])[0, 1])
        {
            await pair.ShouldAgreeAsync(
                from head in Heads
                from path in (string[])["/", "/named", "/forwarded"]
                select head + NginxPair.Get(path, "X-Forwarded-For: 198.51.100.9\r\n"),
                port);
        }

        // Two requests of one connection have one head.
        await pair.ShouldAgreeAsync(
            Heads[0] + "GET / HTTP/1.1\r\nHost: a\r\n\r\n" + NginxPair.Get("/named"));
    }
}
