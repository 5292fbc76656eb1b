using Shouldly;
using Tessera.Proxy.Routing;
using Xunit;

namespace Tessera.Tests.Proxy.Routing;

public sealed class ExpressionTextTests
{
    [Theory]
    [InlineData(@"^/(\d+)/(?<name>[^(]+)$", @"^/([0-9]+)/([^(]+)$", "2:name")]
    [InlineData(@"(?P<a>x)(?'b'y)\k<b>", @"(x)(y)\2", "1:a 2:b")]
    [InlineData(@"(?:x)(?=y)(?<!z)(?i)", @"(?:x)(?=y)(?<!z)(?i)", "")]
    [InlineData(@"[]()](\()[\w-]", @"[\]()](\()[a-zA-Z0-9_-]", "")]
    [InlineData("ü", "Ã¼", "")]
    public void Translates_what_pcre_spells_in_its_own_way(
        string source, string text, string names)
    {
        var translated = ExpressionText.Translate(source);
        translated.Text.ShouldBe(text);
        string.Join(' ', translated.Names.Select(name => $"{name.Group}:{name.Name}"))
            .ShouldBe(names);
    }
}
