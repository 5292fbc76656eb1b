using Shouldly;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>Whatever an asked location serves, the client gets the answer of its own.</summary>
public sealed class AskedLocationTests
{
    [Theory]
    [InlineData("/by-file")]
    [InlineData("/by-return")]
    [InlineData("/by-missing")]
    public async Task An_asked_location_sends_nothing_itself(string uri)
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(
            """
            server {
                listen 127.0.0.1:%%PORT_0%%;
                location /by-file { auth_request /ask.txt; try_files /own.txt =404; }
                location /by-return { auth_request /ask; try_files /own.txt =404; }
                location /by-missing { auth_request /none.txt; try_files /own.txt =404; }
                location = /ask { return 204; }
            }
            """,
            new Dictionary<string, string>
            {
                ["html/ask.txt"] = "asked", ["html/own.txt"] = "own",
            });
        (string nginx, string tessera) = await pair.AskBothAsync(NginxPair.Get(uri));
        tessera.Split("\r\n\r\n")[^1].ShouldBe(nginx.Split("\r\n\r\n")[^1]);
        tessera.Split("\r\n")[0].ShouldBe(nginx.Split("\r\n")[0]);
    }
}
