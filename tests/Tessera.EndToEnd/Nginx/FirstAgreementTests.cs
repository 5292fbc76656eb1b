using Shouldly;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

public sealed class FirstAgreementTests
{
    [Fact]
    public async Task Both_serve_the_same_configuration()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(
            """
            server {
                listen 127.0.0.1:%%PORT_0%%;
                location / { root html; }
                location = /gone { return 410 "gone $uri"; }
            }
            """,
            new Dictionary<string, string> { ["html/index.html"] = "hello" });
        (string nginx, string tessera) = await pair.AskBothAsync(NginxPair.Get("/index.html"));
        nginx.ShouldEndWith("\r\n\r\nhello");
        tessera.ShouldEndWith("\r\n\r\nhello");
        (nginx, tessera) = await pair.AskBothAsync(NginxPair.Get("/gone"));
        nginx.ShouldEndWith("gone /gone");
        tessera.ShouldEndWith("gone /gone");
    }
}
