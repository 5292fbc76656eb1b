using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Nginx;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

public sealed class LimitReadingTests : IDisposable
{
    private readonly string _folder =
        Directory.CreateTempSubdirectory("tessera-limits-").FullName + "/";

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Reads_rates_and_what_a_burst_may_do()
    {
        FlowConfig flow = Read(
            "limit_req_zone $uri zone=one:1m rate=90r/m;",
            "limit_req zone=one burst=5 delay=2; limit_req_status 429; client_max_body_size 2k;")
            .Flow!;
        RateLimitConfig limit = flow.RateLimits.ShouldHaveSingleItem();
        limit.Key.ShouldBe("$uri");
        limit.RequestsPerSecond.ShouldBe(1.5);
        limit.Burst.ShouldBe(5);
        limit.BurstWithoutDelay.ShouldBe(2);
        limit.Status.ShouldBe(429);
        flow.MaxBodyBytes.ShouldBe(2_048);
    }

    [Theory]
    [InlineData("limit_req zone=none;", "zero size shared memory zone \"none\"")]
    [InlineData("limit_req zone=one burst=x;", "invalid burst value \"burst=x\"")]
    [InlineData("limit_req burst=1;", "\"limit_req\" must have \"zone\" parameter")]
    [InlineData(
        "limit_conn one 1;",
        "the shared memory zone \"one\" is already declared for a different use")]
    [InlineData("limit_conn c 0;", "invalid number of connections \"0\"")]
    [InlineData("limit_req_status 200;", "value must be between 400 and 599")]
    [InlineData("gzip on; gzip_comp_level 10;", "value must be between 1 and 9")]
    [InlineData("expires soon;", "\"expires\" directive invalid value")]
    public void Says_what_is_wrong_in_nginx_words(string lines, string words)
    {
        const string Zones = "limit_req_zone $uri zone=one:1m rate=1r/s; "
            + "limit_conn_zone $uri zone=c:1m;";
        string limits = lines.Contains("status", StringComparison.Ordinal)
            ? lines + " limit_req zone=one;"
            : lines;
        Should.Throw<NginxConfigException>(() => Read(Zones, limits))
            .Message.ShouldStartWith(words);
    }

    private RouteConfig Read(string http, string location)
    {
        File.WriteAllText(_folder + "nginx.conf",
            $$"""
            events { }
            http { {{http}}
                server { listen 127.0.0.1:8080; location / { {{location}} } }
            }
            """);
        NginxConfig config = NginxReader.Read(new NginxSource(_folder, "nginx.conf", ""));
        return config.Proxy.Listeners[0].Servers[0].Locations[0];
    }
}
