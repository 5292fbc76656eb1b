using Shouldly;
using Tessera.Proxy.Nginx;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

/// <summary>As glob(3) and fnmatch(3) of the C library.</summary>
public sealed class NginxGlobTests
{
    [Theory]
    [InlineData("/a/*.conf", "/a/x.conf", true)]
    [InlineData("/a/*.conf", "/a/.x.conf", false)]
    [InlineData("/a/.*.conf", "/a/.x.conf", true)]
    [InlineData("/a/?x", "/a/.x", false)]
    [InlineData("/a/*", "/a/b/c", false)]
    [InlineData("/*/c", "/ab/c", true)]
    [InlineData("/a*b*c", "/aXbYbZc", true)]
    [InlineData("/a*b*c", "/aXbYbZ", false)]
    [InlineData("/[b-a]", "/a", false)]
    [InlineData("/[a-c]x", "/bx", true)]
    [InlineData("/[!a-c]x", "/bx", false)]
    [InlineData("/[^a-c]x", "/dx", true)]
    [InlineData("/[]a]", "/]", true)]
    [InlineData("/[a-]", "/-", true)]
    [InlineData(@"/[\]a]", "/]", true)]
    [InlineData("/[[:digit:]x]", "/5", true)]
    [InlineData("/[[:digit:]x]", "/y", false)]
    [InlineData("/[ab", "/[ab", true)]
    [InlineData(@"/\*[a]", "/*a", true)]
    [InlineData(@"/\*[a]", "/xa", false)]
    [InlineData("/**", "/x", true)]
    [InlineData("/a+(b)?", "/a+(b)c", true)]
    public void A_name_fits_a_pattern(string pattern, string name, bool fits) =>
        NginxGlob.Fits(name, pattern).ShouldBe(fits);

    [Fact]
    public void Finds_files_in_their_order_and_no_hidden_ones()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("tessera-glob-");
        foreach (string name in (string[])["b/1.conf", "a/2.conf", "a/1.conf", "a/.0.conf", "c/x"])
        {
            string file = Path.Combine(folder.FullName, name);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, "");
        }

        string[] found =
            [.. NginxGlob.Find($"{folder.FullName}/[ab]/*.conf").Select(Path.GetFullPath)];
        string[] nothing = [.. NginxGlob.Find($"{folder.FullName}/a/[b-a]*.conf")];
        folder.Delete(recursive: true);
        found.ShouldBe(((string[])["a/1.conf", "a/2.conf", "b/1.conf"]).Select(
            name => Path.Combine(folder.FullName, name)));
        nothing.ShouldBeEmpty();
    }
}
