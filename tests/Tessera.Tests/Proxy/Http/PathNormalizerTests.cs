using System.Text;
using Shouldly;
using Tessera.Proxy.Http;
using Xunit;

namespace Tessera.Tests.Proxy.Http;

public class PathNormalizerTests
{
    [Theory]
    [InlineData("/", "/")]
    [InlineData("/a/b", "/a/b")]
    [InlineData("/a/", "/a/")]
    [InlineData("//a///b", "/a/b")]
    [InlineData("/a/./b/.", "/a/b/")]
    [InlineData("/a/../b", "/b")]
    [InlineData("/a/b/..", "/a/")]
    [InlineData("/a/b/../..", "/")]
    [InlineData("/%61dmin", "/admin")]
    [InlineData("/a%2Fb", "/a/b")]
    [InlineData("/a/%2e%2E/b", "/b")]
    [InlineData("/%252e", "/%2e")]
    [InlineData("/.hidden/..x", "/.hidden/..x")]
    [InlineData("/a%20b", "/a b")]
    public void Spellings_of_a_path_are_one(string path, string normal)
    {
        TryNormalize(path, out string? got).ShouldBeTrue();
        got.ShouldBe(normal);
    }

    [Theory]
    [InlineData("/..")]
    [InlineData("/../a")]
    [InlineData("/a/../../b")]
    [InlineData("/%2e%2e/a")]
    [InlineData("/..%2fa")]
    [InlineData("/%")]
    [InlineData("/%4")]
    [InlineData("/%zz")]
    [InlineData("/a%00b")]
    public void A_path_that_means_nothing_is_refused(string path) =>
        TryNormalize(path, out _).ShouldBeFalse();

    [Theory]
    [InlineData("/a/b.c/d-e_f~", true)]
    [InlineData("/a//b", false)]
    [InlineData("/a/.b", false)]
    [InlineData("/a%20b", false)]
    public void Most_paths_are_seen_to_be_normal_at_once(string path, bool isNormal) =>
        PathNormalizer.IsNormal(Encoding.ASCII.GetBytes(path)).ShouldBe(isNormal);

    private static bool TryNormalize(string path, out string? normal)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(path);
        byte[] destination = new byte[bytes.Length];
        bool isValid = PathNormalizer.TryNormalize(bytes, destination, out int length);
        normal = isValid ? Encoding.ASCII.GetString(destination, 0, length) : null;
        return isValid;
    }
}
