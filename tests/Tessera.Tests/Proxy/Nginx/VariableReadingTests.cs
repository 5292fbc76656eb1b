using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

public sealed class VariableReadingTests
{
    [Fact]
    public void A_map_keeps_its_lines_in_their_order()
    {
        MapConfig map = Read<MapConfig>(
            """
            map $host $x { hostnames; volatile; default d; \default e; ~^a b; *.c.d $uri; }
            """);
        map.ShouldSatisfyAllConditions(
            () => map.Default.ShouldBe("d"),
            () => map.HasHostNames.ShouldBeTrue(),
            () => map.IsVolatile.ShouldBeTrue(),
            () => map.Entries.ShouldBe(
            [
                new MapEntry("default", "e", IsLiteral: true),
                new MapEntry("~^a", "b"),
                new MapEntry("*.c.d", "$uri"),
            ]));
    }

    [Fact]
    public void A_geo_is_ranges_without_those_that_are_deleted()
    {
        GeoConfig geo = Read<GeoConfig>(
            "geo $x { default z; 10.0.0.0/8 a; 10.1.0.0/16 b; delete 10.1.0.0/16; }");
        GeoRange range = geo.Ranges.ShouldHaveSingleItem();
        range.Value.ShouldBe("a");
        (range.Last - range.First + 1).ShouldBe(1u << 24);
    }

    [Fact]
    public void Groups_with_names_are_variables() =>
        NginxText.ReadHttp(
            "server { location ~ ^/(?<first>.)(?P<second>.) { return 200 $first$second; } }")
            .Variables.Select(variable => variable.Name).ShouldBe(["first", "second"]);

    [Fact]
    public void What_only_groups_set_is_not_there_until_they_do() =>
        NginxText.ReadHttp(
            """
            server {
                set $first 1;
                location ~ ^/(?<second>.) { set $second 2; return 200 $first; }
            }
            """)
            .Variables.ShouldBe(
            [
                new SetVariableConfig("first"),
                new SetVariableConfig("second", IsUnknownUntilSet: true),
            ]);

    [Theory]
    [InlineData("map $a $b { x y z; }", "invalid number of the map parameters in nginx.conf:2")]
    [InlineData("map $a $b { x y; X z; }", "conflicting parameter \"X\" in nginx.conf:2")]
    [InlineData("map $a $b { default y; default z; }",
        "duplicate default map parameter in nginx.conf:2")]
    [InlineData("map $a b { }", "invalid variable name \"b\" in nginx.conf:2")]
    [InlineData("split_clients $a $b { 60% x; 50% y; }",
        "percent total is greater than 100% in nginx.conf:2")]
    [InlineData("split_clients $a $b { x y; }", "invalid percent value \"x\" in nginx.conf:2")]
    [InlineData("geo $a { 1.2.3.4.5 x; }", "invalid network \"1.2.3.4.5\" in nginx.conf:2")]
    [InlineData("geo $a { ranges; 1.2.3.4 x; }", "invalid range \"1.2.3.4\" in nginx.conf:2")]
    public void Says_what_is_wrong_in_nginxs_words(string http, string error) =>
        NginxText.ErrorOf(http).ShouldBe(error);

    private static T Read<T>(string http)
        where T : VariableConfig =>
        NginxText.ReadHttp(http + "\nserver { }").Variables.ShouldHaveSingleItem()
            .ShouldBeOfType<T>();
}
