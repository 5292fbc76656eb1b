using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

public sealed class LocationReadingTests
{
    [Fact]
    public void Locations_keep_their_kind_and_what_is_within_them()
    {
        ServerConfig server = NginxText.ReadServer(
            """
            location = /a { }
            location ^~ /b { location ~ x$ { internal; } }
            location ~*\.gif$ { }
            location @named { }
            """);
        server.Locations.Select(route => (route.Path.Kind, route.Path.Text)).ShouldBe(
        [
            (PathMatchKind.Exact, "/a"),
            (PathMatchKind.PrefixBeforeRegex, "/b"),
            (PathMatchKind.RegexIgnoreCase, @"\.gif$"),
            (PathMatchKind.Named, "@named"),
        ]);
        RouteConfig within = server.Locations[1].Location!.Nested.ShouldHaveSingleItem();
        within.Path.Text.ShouldBe("x$");
        within.Location!.IsInternal.ShouldBeTrue();
    }

    [Fact]
    public void An_alias_is_inherited_with_the_text_of_the_location_that_wrote_it()
    {
        ServerConfig server = NginxText.ReadServer(
            """
            root /outer;
            location /a/ { alias /files/; location /a/b { } location ~ c { root /own; } }
            """);
        LocationConfig outer = server.Locations[0].Location!;
        outer.Nested[0].Location!.Root.ShouldBe(outer.Root);
        outer.Root!.Alias.ShouldBe("/a/");
        outer.Nested[1].Location!.Root!.Alias.ShouldBeNull();
    }

    [Fact]
    public void An_if_is_a_location_that_inherits_from_the_one_around()
    {
        ServerConfig server = NginxText.ReadServer(
            """
            location / {
                root /outer;
                proxy_pass http://127.0.0.1:1;
                if ($arg_x = 1) { root /inner; set $y 2; }
            }
            """);
        RouteConfig outer = server.Locations[0];
        IfStep step = outer.Location!.Script.ShouldHaveSingleItem().ShouldBeOfType<IfStep>();
        step.Condition.ShouldBe(new ScriptCondition(ConditionKind.Equals, false, "$arg_x", "1"));
        step.Steps.ShouldBe([new SetStep("y", "2")]);
        step.Location!.Location!.Root!.Path.ShouldBe("/inner");
        step.Location.Backend.ShouldBe(outer.Backend);
        outer.Location.Root!.Path.ShouldBe("/outer");
    }

    [Fact]
    public void The_innermost_list_counts_whole()
    {
        ServerConfig server = NginxText.ReadServer(
            """
            allow 10.0.0.0/8;
            error_page 404 /a;
            location /one { deny all; }
            location /two { error_page 500 502 =200 /b; }
            """);
        server.Locations[0].Access!.Addresses.ShouldBe([new AddressRule(false, null)]);
        server.Locations[0].Location!.ErrorPages!.Pages.ShouldBe([new ErrorPage(404, "/a")]);
        server.Locations[1].Access!.Addresses.Length.ShouldBe(1);
        server.Locations[1].Location!.ErrorPages!.Pages.ShouldBe(
            [new ErrorPage(500, "/b", 200), new ErrorPage(502, "/b", 200)]);
    }

    [Fact]
    public void Whatever_is_within_an_internal_location_is_internal_as_well()
    {
        ServerConfig server = NginxText.ReadServer(
            "location /a/ { internal; limit_except GET { deny all; } location /a/b { } }");
        LocationConfig outer = server.Locations[0].Location!;
        outer.MethodLimit!.Others.Location!.IsInternal.ShouldBeTrue();
        outer.Nested.ShouldHaveSingleItem().Location!.IsInternal.ShouldBeTrue();
        server.Fallback.Location!.IsInternal.ShouldBeFalse();
    }

    [Theory]
    [InlineData("location /a { }\nlocation /a { }", "duplicate location \"/a\" in nginx.conf:4")]
    [InlineData("location /a { location /b { } }",
        "location \"/b\" is outside location \"/a\" in nginx.conf:3")]
    [InlineData("location = /a { location /a { } }",
        "location \"/a\" cannot be inside the exact location \"/a\" in nginx.conf:3")]
    [InlineData("location /a { location @b { } }",
        "named location \"@b\" can be on the server level only in nginx.conf:3")]
    [InlineData("location @a { location /b { } }",
        "location \"/b\" cannot be inside the named location \"@a\" in nginx.conf:3")]
    [InlineData("location ! /a { }", "invalid location modifier \"!\" in nginx.conf:3")]
    [InlineData("set x 1;", "invalid variable name \"x\" in nginx.conf:3")]
    [InlineData("set $host 1;", "the duplicate \"host\" variable in nginx.conf:3")]
    [InlineData("return 200 $nope;", "unknown \"nope\" variable")]
    [InlineData("return abc;", "invalid return code \"abc\" in nginx.conf:3")]
    [InlineData("return 200 \"${x\";",
        "the closing bracket in \"x\" variable is missing in nginx.conf:3")]
    [InlineData("rewrite ^ /x sometimes;", "invalid parameter \"sometimes\" in nginx.conf:3")]
    [InlineData("if ($a { }", "invalid condition \"$a\" in nginx.conf:3")]
    [InlineData("if ($a == 1) { }", "unexpected \"==\" in condition in nginx.conf:3")]
    [InlineData("error_page 200 /x;", "value \"200\" must be between 300 and 599 in nginx.conf:3")]
    [InlineData("error_page = /x;", "invalid value \"=\" in nginx.conf:3")]
    [InlineData("allow 300.0.0.1;", "invalid parameter \"300.0.0.1\" in nginx.conf:3")]
    [InlineData("listen 8080;\nlisten 8080;", "a duplicate listen 0.0.0.0:8080 in nginx.conf:4")]
    [InlineData("listen 8080 fast;", "invalid parameter \"fast\" in nginx.conf:3")]
    [InlineData("listen 127.0.0.1:99999;",
        "invalid port in \"127.0.0.1:99999\" of the \"listen\" directive in nginx.conf:3")]
    public void Says_what_is_wrong_in_nginxs_words(string server, string error) =>
        NginxText.ErrorOf($"server {{\n{server}\n}}").ShouldBe(error);

    [Fact]
    public void One_address_has_one_default_server() =>
        NginxText.ErrorOf(
            """
            server { listen 8080 default_server; }
            server { listen 8080 default_server; }
            """).ShouldBe("a duplicate default server for 0.0.0.0:8080 in nginx.conf:3");

    [Fact]
    public void A_range_of_ports_is_a_listener_for_each() =>
        NginxText.ReadHttp("server { listen 127.0.0.1:8080-8082; }").Listeners
            .Select(listener => listener.Address.Port).ShouldBe([8_080, 8_081, 8_082]);
}
