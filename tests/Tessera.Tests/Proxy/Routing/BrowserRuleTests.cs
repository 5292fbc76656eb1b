using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Routing;
using Tessera.Tests.Proxy.Nginx;
using Xunit;

namespace Tessera.Tests.Proxy.Routing;

public sealed class BrowserRuleTests
{
    private const string NewMsie = "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)";
    private const string OldMsie = "Mozilla/4.0 (compatible; MSIE 4.0; Windows 95)";

    private static readonly BrowserConfig Msie = new()
    {
        Modern = [new ModernBrowser("MSIE ", 25, 5, 5_050_000)],
    };

    [Theory]
    [InlineData("", 0)]
    [InlineData("5", 5_000_000)]
    [InlineData("5.5", 5_050_000)]
    [InlineData("1.7.13; x", 1_071_300)]
    [InlineData("x", 0)]
    public void Reads_a_version_up_to_what_is_none(string text, long version) =>
        BrowserRule.ReadVersion(Encoding.ASCII.GetBytes(text)).ShouldBe(version);

    [Theory]
    [InlineData(NewMsie, true)]
    [InlineData(OldMsie, false)]
    [InlineData("MSIE 7.0", false)]
    [InlineData("", false)]
    public void Goes_by_the_version_behind_the_mark(string agent, bool isModern) =>
        Ask(Msie, agent).ShouldBe(isModern);

    [Theory]
    [InlineData("Lynx/2", false)]
    [InlineData("Mozilla/4.72 [en]", false)]
    [InlineData("Mozilla/5.0 (X11)", true)]
    [InlineData(OldMsie, false)]
    public void Takes_what_it_does_not_know_as_it_is_told(string agent, bool isModern) =>
        Ask(
            Msie with
            {
                IsUnlistedModern = true, Ancient = ["Lynx"], IsNetscapeAncient = true,
            },
            agent).ShouldBe(isModern);

    [Theory]
    [InlineData("modern_browser lynx 1;", "unknown browser name \"lynx\"")]
    [InlineData("modern_browser msie x;", "invalid browser version \"x\"")]
    [InlineData("modern_browser msie;", "invalid number of arguments")]
    public void Refuses_browsers_that_nobody_knows(string directive, string message) =>
        NginxText.ErrorOf($"server {{ {directive} location / {{ }} }}").ShouldContain(message);

    private static bool Ask(BrowserConfig config, string agent) =>
        new BrowserRule(config).IsModern(Encoding.ASCII.GetBytes(agent));
}
