using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

public class AnswerReadingTests
{
    [Fact]
    public void Reads_charsets_and_their_maps()
    {
        AnswerConfig answers = NginxText.ReadHttp(
            """
            charset_map koi8-r utf-8 { C0 D18E; C1 D0B0; }
            server { location / { charset utf-8; source_charset KOI8-R; override_charset on; } }
            """).Listeners[0].Servers[0].Locations[0].Answers!;
        answers.Charset.ShouldBe("utf-8");
        answers.SourceCharset.ShouldBe("KOI8-R");
        answers.OverridesCharset.ShouldBeTrue();
        CharsetMapConfig map = answers.CharsetMaps.ShouldHaveSingleItem();
        map.Pairs.Select(pair => pair.Byte).ShouldBe([0xC0, 0xC1]);
        map.Pairs[0].Text.ShouldBe([0xD1, 0x8E]);
    }

    [Theory]
    [InlineData("charset_map a utf-8 { C0 D18E D0; }", "invalid parameters number in nginx.conf")]
    [InlineData("charset_map a utf-8 { 1C0 D18E; }", "invalid value \"1C0\"")]
    [InlineData("charset_map a utf-8 { C0 D1; }", "invalid value \"D1\"")]
    [InlineData("charset_map a b { C0 G1; }", "invalid value \"G1\"")]
    [InlineData("charset_map a A { C0 D1; }", "\"charset_map\" between the same charsets")]
    [InlineData("charset_map a b { C0 D1; } charset_map b a { C0 D1; }",
        "duplicate \"charset_map\" between \"b\" and \"a\"")]
    [InlineData("server { charset a; source_charset b; }",
        "no \"charset_map\" between the charsets \"b\" and \"a\"")]
    [InlineData("server { keepalive_disable opera; }", "invalid value \"opera\"")]
    [InlineData("server { disable_symlinks maybe; }", "invalid parameter \"maybe\"")]
    [InlineData("server { disable_symlinks from=/a; }",
        "\"disable_symlinks\" must have \"off\", \"on\" or \"if_not_owner\" parameter")]
    [InlineData("server { add_header_inherit maybe; }", "invalid value \"maybe\"")]
    public void Says_what_is_wrong_in_nginx_words(string http, string words) =>
        NginxText.ErrorOf(http).ShouldStartWith(words);

    [Theory]
    [InlineData("", "outer")]
    [InlineData("add_header X inner;", "inner")]
    [InlineData("add_header_inherit merge; add_header X inner;", "outer inner")]
    [InlineData("add_header_inherit off;", "")]
    [InlineData("add_header X '';", "")]
    public void Inherits_fields_as_it_is_told(string location, string values)
    {
        RouteConfig route = NginxText.ReadServer(
            $"add_header X outer; location / {{ {location} }}").Locations[0];
        string.Join(' ', route.ResponseHeaders.Select(field => field.Value)).ShouldBe(values);
    }

    [Fact]
    public void Reads_which_links_are_followed()
    {
        LinkCheckConfig? LinksOf(string lines) =>
            NginxText.ReadServer($"location / {{ {lines} }}").Locations[0].Location!.Root!.Links;
        LinksOf("").ShouldBeNull();
        LinksOf("disable_symlinks off;").ShouldBeNull();
        LinksOf("disable_symlinks on;").ShouldBe(new LinkCheckConfig(false, null));
        LinksOf("disable_symlinks if_not_owner from=$document_root;")
            .ShouldBe(new LinkCheckConfig(true, "$document_root"));
    }

    [Fact]
    public void Reads_which_browsers_are_kept()
    {
        ClientConfig ClientOf(string lines) =>
            NginxText.ReadServer($"location / {{ {lines} }}").Locations[0].Client!;
        ClientOf("").DropsOldMsie.ShouldBeTrue();
        ClientOf("").DropsSafari.ShouldBeFalse();
        ClientOf("keepalive_disable none;").DropsOldMsie.ShouldBeFalse();
        ClientOf("keepalive_disable safari;").DropsSafari.ShouldBeTrue();
        ClientOf("keepalive_disable safari;").DropsOldMsie.ShouldBeFalse();
        ClientOf("keepalive_min_timeout 2s;").MinIdleMs.ShouldBe(2_000);
    }
}
