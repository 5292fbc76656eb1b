using System.Net;
using Shouldly;
using Tessera.Linux.Net;
using Tessera.Proxy;
using Tessera.Proxy.Access;
using Xunit;

namespace Tessera.Tests.Proxy.Access;

public sealed class AddressRulesTests
{
    [Theory]
    [InlineData("192.168.1.0/24", "192.168.1.0", true)]
    [InlineData("192.168.1.0/24", "192.168.1.255", true)]
    [InlineData("192.168.1.0/24", "192.168.2.0", false)]
    [InlineData("192.168.1.7/32", "192.168.1.7", true)]
    [InlineData("192.168.1.7/32", "192.168.1.6", false)]
    [InlineData("128.0.0.0/1", "200.1.2.3", true)]
    [InlineData("128.0.0.0/1", "127.1.2.3", false)]
    [InlineData("0.0.0.0/0", "8.8.8.8", true)]
    [InlineData("0.0.0.0/0", "2001:db8::1", false)]
    [InlineData("::/0", "2001:db8::1", true)]
    [InlineData("::/0", "8.8.8.8", false)]
    [InlineData("2001:db8::/32", "2001:db8:ffff::1", true)]
    [InlineData("2001:db8::/32", "2001:db9::1", false)]
    [InlineData("2001:db8::/127", "2001:db8::1", true)]
    [InlineData("2001:db8::/127", "2001:db8::2", false)]
    [InlineData("2001:db8::8/128", "2001:db8::8", true)]
    [InlineData("10.0.0.0/8", "::ffff:10.1.2.3", true)]
    [InlineData("10.0.0.0/8", "::ffff:11.1.2.3", false)]
    [InlineData("::ffff:10.0.0.0/104", "10.1.2.3", true)]
    [InlineData("::ffff:10.0.0.0/104", "11.1.2.3", false)]
    [InlineData("::ffff:0.0.0.0/96", "11.1.2.3", true)]
    [InlineData("::ffff:0.0.0.0/96", "::1", false)]
    public void Networks_hold_their_addresses(string network, string address, bool holds)
    {
        var rules = new AddressRules([new AddressRule(true, IPNetwork.Parse(network))]);
        rules.Find(Peer(address)).ShouldBe(holds ? true : null);
    }

    [Fact]
    public void The_first_rule_that_holds_decides()
    {
        var rules = new AddressRules(
        [
            new AddressRule(false, IPNetwork.Parse("10.0.0.1/32")),
            new AddressRule(true, IPNetwork.Parse("10.0.0.0/8")),
            new AddressRule(false, null),
        ]);
        rules.Find(Peer("10.0.0.1")).ShouldBe(false);
        rules.Find(Peer("10.0.0.2")).ShouldBe(true);
        rules.Find(Peer("11.0.0.2")).ShouldBe(false);
        rules.Find(Peer("::1")).ShouldBe(false);
    }

    [Fact]
    public void Nothing_is_allocated()
    {
        var rules = new AddressRules([new AddressRule(true, IPNetwork.Parse("10.0.0.0/8"))]);
        InternetAddress peer = Peer("10.2.3.4");
        rules.Find(peer);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000; i++)
        {
            rules.Find(peer);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    [Theory]
    [InlineData(false, "10.0.0.1", GateVerdict.Pass, true)]
    [InlineData(false, "11.0.0.1", GateVerdict.Forbidden, false)]
    [InlineData(true, "10.0.0.1", GateVerdict.Pass, false)]
    [InlineData(true, "11.0.0.1", GateVerdict.Forbidden, true)]
    public void Address_and_password_are_both_needed_or_either(
        bool isAnyEnough, string address, object verdict, bool needsPassword)
    {
        var gate = new AccessGate(new AccessConfig
        {
            Addresses =
            [
                new AddressRule(true, IPNetwork.Parse("10.0.0.0/8")),
                new AddressRule(false, null),
            ],
            BasicAuth = new BasicAuthConfig { Users = ["ann:{PLAIN}x"] },
            IsAnyEnough = isAnyEnough,
        });
        gate.CheckAddress(Peer(address), out bool needs).ShouldBe((GateVerdict)verdict);
        needs.ShouldBe(needsPassword);
    }

    private static InternetAddress Peer(string address) =>
        new(new IPEndPoint(IPAddress.Parse(address), 1_234));
}
