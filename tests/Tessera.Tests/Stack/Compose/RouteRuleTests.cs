using Shouldly;
using Tessera.Stack;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

/// <summary>What may stand under <c>x-tessera</c>, and what is said of mistakes in it.</summary>
public class RouteRuleTests
{
    [Theory]
    [InlineData("balance: least_con", "did you mean|one of \"round_robin\"")]
    [InlineData("stiky: true", "did you mean \"sticky\"?")]
    [InlineData("health: { intervall: 1s }", "did you mean \"interval\"?")]
    [InlineData("health: { interval: 1ms }", "must be 100ms to a year, not 1ms")]
    [InlineData("health: { status: 9 }", "must be a status or a range")]
    [InlineData("limits: { rate: fast }", "must be a rate such as 10/s")]
    [InlineData("limits: { connections: 0 }", "must be 1 to 1000000000, not 0")]
    [InlineData("access: { allow: somewhere }", "has \"somewhere\", which is neither")]
    [InlineData("access: { basic_auth: {} }", "nobody could log in")]
    [InlineData("access: { basic_auth: { file: none } }", "the file of users none does not exist")]
    [InlineData("headers: { request: { Connection: x } }", "belongs to the connection")]
    [InlineData("headers: { request: { \"a b\": x } }", "no name of a header field")]
    [InlineData("headers: { response: { A: \"b\\nc\" } }", "with a line break")]
    [InlineData("redirect: { to: /x, status: 304 }", "must be 301, 302, 303, 307 or 308, not 304")]
    [InlineData("{ redirect: /x, files: /srv }", "exclude each other")]
    [InlineData("rewrite: { pattern: \"(\" }", "is no regular expression")]
    [InlineData("rewrite: { strip_prefix: api }", "must begin with \"/\"")]
    [InlineData("routes: { a: { path: api } }", "must begin with \"/\"")]
    [InlineData("routes: { a: { path: \"~ [\" } }", "is no regular expression")]
    [InlineData("routes: { a: { host: \"a b\" } }", "must be a host name")]
    [InlineData("routes: { a: { when: { methods: [\"G T\"] } } }", "is no method")]
    [InlineData("sticky: { name: \"a;b\" }", "must be letters, digits")]
    [InlineData("max_fails: -1", "must be 0 to 1000000000, not -1")]
    [InlineData("weights: [65536]", "a weight is 0 to 65535, not 65536")]
    [InlineData("limits: { rate: { requests: 1/s, burst: 268001 } }", "must be 0 to 268000")]
    [InlineData("redirect: \"/a\\r\\nb\"", "must be one line without control characters")]
    [InlineData("access: { basic_auth: { users: { \"a:b\": x } } }", "has a name with a colon")]
    [InlineData("hash_key: \"$$non\"", "hash_key cannot be read: there is no variable \"$non\"")]
    [InlineData("redirect: http://$$non/", "redirect.to cannot be read")]
    [InlineData("reply: { status: 200, body: $$non }", "reply.body cannot be read")]
    [InlineData("headers: { add: { A: $$non } }", "headers.add cannot be read")]
    [InlineData("limits: { rate: { requests: 1/s, key: $$non } }", "key cannot be read")]
    [InlineData("access_log: $$non", "access_log.format cannot be read")]
    public void Mistakes_are_told(string options, string expected)
    {
        string error = ProjectFolder.ErrorOf($"command: run\nx-tessera:\n  {options}");
        error.ShouldStartWith("compose.yaml:5:");
        expected.Split('|').ShouldContain(part => error.Contains(part, StringComparison.Ordinal));
    }

    [Fact]
    public void A_service_may_only_answer()
    {
        using ProjectFolder folder = new("""
            services:
              site: { ports: ["8080:80"], x-tessera: { files: ./public } }
            """);
        Service site = folder.Load().Project.Services["site"];
        site.HasInstances.ShouldBeFalse();
        site.Options.Rules.Files!.Root.ShouldBe($"{folder.Path}/public");
    }

    [Fact]
    public void Users_of_a_file_are_folded_in()
    {
        using ProjectFolder folder = new("""
            services:
              web:
                command: run
                x-tessera:
                  access: { basic_auth: { file: htpasswd, users: { eve: secret } } }
            """);
        folder.Write("htpasswd", "# staff\nbob:$6$x$y\n\n");
        folder.Load().Project.Services["web"].Options.Rules.Access!.BasicAuth!.Users.ShouldBe(
            ["bob:$6$x$y", "eve:{PLAIN}secret"]);
        folder.Write("htpasswd", "bob:rqXexS6ZhobKA");
        folder.Error().ShouldContain("too weak to take");
    }

    [Theory]
    [InlineData("/a", "/b", null)]
    [InlineData("/a", "/a/", "requests to /a/ are claimed by service \"one\"")]
    [InlineData("a.example/x", "b.example/x", null)]
    public void Services_share_a_port_when_their_routes_differ(
        string one, string two, string? error)
    {
        using ProjectFolder folder = new($$"""
            services:
              one: { command: a, ports: ["8080:80"], x-tessera: { routes: { r: {{one}} } } }
              two: { command: b, ports: ["8080:80"], x-tessera: { routes: { r: {{two}} } } }
            """);
        if (error is null)
        {
            folder.Load();
        }
        else
        {
            folder.Error().ShouldContain(error);
        }
    }

    [Fact]
    public void Everything_survives_a_round_through_the_canonical_document()
    {
        using ProjectFolder folder = new("""
            x-tessera: { listen: [8080, "127.0.0.1:81"] }
            services:
              web:
                command: run
                x-tessera:
                  max_fails: 0
                  access_log: false
                  compression: { gzip: false, level: 9 }
                  retry: { on: [], budget: 0 }
                  routes: { a: { path: "= /x", reply: { status: 204 } } }
            """);
        folder.Load().Project.Listen.ShouldBe(["8080", "127.0.0.1:81"]);
        ServiceOptions options = folder.Load().Project.Services["web"].Options;
        options.EndpointLimits.MaxFails.ShouldBe(0);
        ProjectFolder.Bind("command: x").Options.EndpointLimits.MaxFails.ShouldBeNull();
        options.AccessLog!.IsOn.ShouldBeFalse();
        options.Rules.Compression!.UsesGzip.ShouldBeFalse();
        options.Rules.Retry!.On.ShouldBeEmpty();
        options.Rules.Retry.BudgetPercent.ShouldBe(0);
        options.Routes.ShouldHaveSingleItem().Path.ToString().ShouldBe("= /x");
    }
}
