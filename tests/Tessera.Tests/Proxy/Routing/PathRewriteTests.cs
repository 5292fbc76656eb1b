using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Routing;
using Xunit;

namespace Tessera.Tests.Proxy.Routing;

public class PathRewriteTests
{
    [Theory]
    [InlineData("/api/v1", "a=1", "/v1?a=1")]
    [InlineData("/api", "", "/")]
    [InlineData("/apiary", "", "/apiary")]
    [InlineData("/api/a b", "", "/a%20b")]
    [InlineData("/api/a?b#c%d", "", "/a%3Fb%23c%25d")]
    [InlineData("/api/x\r\ny", "", "/x%0D%0Ay")]
    public void Strips_whole_segments(string path, string query, string expected) =>
        Rewrite(new RewriteConfig { StripPrefix = "/api/" }, path, query).ShouldBe(expected);

    [Theory]
    [InlineData("^/users/(.*)$", "/show/$1", "/users/7", "", "/show/7")]
    [InlineData("^/users/(.*)$", "/show?user=$1", "/users/a&b?", "q=1", "/show?user=a&b%3F&q=1")]
    [InlineData("^/users/(.*)$", "/show/${1}x?", "/users/7", "q=1", "/show/7x")]
    [InlineData("/old/", "/new/", "/a/old/b", "", "/a/new/b")]
    [InlineData("^/drop$", "?", "/drop", "q=1", "/")]
    [InlineData("^/x", "y", "/x/1", "", "/y/1")]
    [InlineData("^/none", "/never", "/x", "q", "/x?q")]
    [InlineData("^/cost$", "/$$5", "/cost", "", "/$5")]
    public void Replaces_what_an_expression_matches(
        string pattern, string replacement, string path, string query, string expected) =>
        Rewrite(
            new RewriteConfig { Pattern = pattern, Replacement = replacement }, path, query)
            .ShouldBe(expected);

    [Fact]
    public void Puts_a_prefix_before_what_is_left() => Rewrite(
        new RewriteConfig
        {
            StripPrefix = "/a", Pattern = "b", Replacement = "c", AddPrefix = "/z/",
        },
        "/a/b", "").ShouldBe("/z/c");

    [Theory]
    [InlineData("$x")]
    [InlineData("/a$")]
    [InlineData("${1")]
    public void Refuses_other_dollars(string replacement) => Should.Throw<FormatException>(
        () => new PathRewrite(new RewriteConfig { Pattern = "a", Replacement = replacement }));

    private static string Rewrite(RewriteConfig config, string path, string query)
    {
        var writer = new ByteWriter(new byte[1_024]);
        new PathRewrite(config).Write(
            ref writer, Encoding.UTF8.GetBytes(path), Encoding.UTF8.GetBytes(query));
        return Encoding.UTF8.GetString(writer.Written);
    }
}
