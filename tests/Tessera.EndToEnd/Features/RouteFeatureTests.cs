using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Features;

/// <summary>Which requests a service gets, and what is changed on their way.</summary>
public sealed class RouteFeatureTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task Redirects_lead_where_the_file_says()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Moody}}
                ports: ["{{port}}:80"]
                x-tessera:
                  routes:
                    all: { path: / }
                    bare:
                      host: example.com
                      redirect: { to: "https://www.example.com$$request_uri", status: 301 }
                    old:
                      path: "~ ^/old/([a-z]+)/(.*)$$"
                      redirect: { to: "/new/$$2/$$1?$$args", status: 308 }
                    gone: { path: /gone, redirect: "https://$$host/was$$uri" }
            """, "redirected");
        await project.UpAsync();

        HttpAnswer bare = await RawHttp.AskAsync(port, "GET /a%20b?q=1", "Host: example.com");
        bare.Status.ShouldBe(301);
        bare.Header("Location").ShouldBe("https://www.example.com/a%20b?q=1");
        HttpAnswer old = await RawHttp.AskAsync(port, "POST /old/shoes/red?size=9", body: "x");
        old.Status.ShouldBe(308);
        old.Header("Location").ShouldBe("/new/red/shoes?size=9");
        HttpAnswer gone = await RawHttp.AskAsync(port, "GET /gone/x", "Host: a.example");
        gone.Status.ShouldBe(302);
        gone.Header("Location").ShouldBe("https://a.example/was/gone/x");
        HttpAnswer split = await RawHttp.GetAsync(port, "/gone/a%0d%0aSet-Cookie:x");
        split.Header("Location").ShouldBe("https://localhost/was/gone/a%0D%0ASet-Cookie:x");
        split.Header("Set-Cookie").ShouldBeNull();
        (await RawHttp.GetAsync(port, "/old/9/x")).Instance.ShouldBe("redirected-web-1");
        (await (await MoodyApp.AllOfAsync(project))[0].LogAsync()).ShouldBe(["GET /old/9/x 0"]);
    }

    [Fact]
    public async Task Paths_are_rewritten_and_fields_set_taken_away_and_added()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Moody}}
                ports: ["{{port}}:80"]
                x-tessera:
                  routes:
                    all: { path: / }
                    api:
                      path: /api
                      rewrite:
                        strip_prefix: /api
                        pattern: "^/v(\\d+)/(.*)$$"
                        replacement: "/$$2?version=$$1"
                        add_prefix: /app
                      headers:
                        request: { X-Client: "$$remote_addr", User-Agent: "", X-Host: "$$host" }
                        response: { X-Powered-By: "", X-Served: "$$instance" }
                        add: { Vary: X-Client }
            """, "rewritten");
        await project.UpAsync();

        HttpAnswer answer = await RawHttp.AskAsync(
            port, "GET /api/v2/cart/1?full=1", "User-Agent: test\r\nX-Client: forged");

        answer.Text.ShouldContain("GET /app/cart/1?version=2&full=1 HTTP/1.1\n");
        answer.EchoedHeader("X-Client").ShouldBe("127.0.0.1");
        answer.EchoedHeader("X-Host").ShouldBe("localhost");
        answer.EchoedHeader("User-Agent").ShouldBeNull();
        answer.Header("X-Powered-By").ShouldBeNull();
        answer.Header("X-Served").ShouldNotBeNullOrEmpty();
        answer.Header("Vary").ShouldBe("X-Client");
        HttpAnswer plain = await RawHttp.AskAsync(port, "GET /apiary", "User-Agent: test");
        plain.Text.ShouldContain("GET /apiary HTTP/1.1\n");
        plain.EchoedHeader("User-Agent").ShouldBe("test");
        plain.Header("X-Powered-By").ShouldBe("moody");
    }

    [Fact]
    public async Task The_most_specific_route_of_all_services_on_a_port_wins()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            x-tessera: { listen: ["{{port}}"] }
            services:
              site:
                command: {{App.Whoami}}
                expose: ["80"]
                x-tessera: { routes: { all: { path: / } } }
              api:
                command: {{App.Whoami}}
                expose: ["80"]
                x-tessera: { routes: { api: /api } }
              shop:
                command: {{App.Whoami}}
                expose: ["80"]
                x-tessera:
                  routes:
                    any: { host: "*.shop.example" }
                    one: { host: www.shop.example, path: "= /api" }
              beta:
                command: {{App.Whoami}}
                expose: ["80"]
                x-tessera: { routes: { beta: { path: /api, when: { headers: { X-Beta: "1" } } } } }
              put:
                command: {{App.Whoami}}
                expose: ["80"]
                x-tessera: { routes: { put: { path: /only-put, when: { methods: [PUT] } } } }
              images:
                command: {{App.Whoami}}
                expose: ["80"]
                x-tessera: { routes: { png: { path: "~* \\.png$$" } } }
              closed:
                x-tessera:
                  routes:
                    closed:
                      path: /closed
                      reply: { status: 503, body: back soon, type: text/html }
            """, "shared");
        await project.UpAsync();

        (await ServiceAsync(port, "GET /", "")).ShouldBe("site");
        (await ServiceAsync(port, "GET /apix", "")).ShouldBe("site");
        (await ServiceAsync(port, "GET /api", "")).ShouldBe("api");
        (await ServiceAsync(port, "GET /x/../api/y", "")).ShouldBe("api");
        (await ServiceAsync(port, "GET /api/y", "X-Beta: 1")).ShouldBe("beta");
        (await ServiceAsync(port, "GET /api/y", "X-Beta: 0")).ShouldBe("api");
        (await ServiceAsync(port, "GET /a/b.PNG", "")).ShouldBe("images");
        (await ServiceAsync(port, "GET /", "Host: a.b.shop.example:8080")).ShouldBe("shop");
        (await ServiceAsync(port, "GET /api", "Host: WWW.Shop.Example")).ShouldBe("shop");
        (await ServiceAsync(port, "GET /only-put", "")).ShouldBe("site");
        (await ServiceAsync(port, "PUT /only-put", "")).ShouldBe("put");
        HttpAnswer closed = await RawHttp.GetAsync(port, "/closed");
        closed.Status.ShouldBe(503);
        closed.Text.ShouldBe("back soon");
        closed.Header("Content-Type").ShouldBe("text/html");
    }

    private static async Task<string> ServiceAsync(int port, string methodAndPath, string fields)
    {
        HttpAnswer answer = await RawHttp.AskAsync(port, methodAndPath, fields);
        answer.Status.ShouldBe(200);
        return answer.Instance.Split('-')[1];
    }
}
