using System.Net;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Tessera.Proxy.Resolving;
using Xunit;

namespace Tessera.Tests.Proxy.Resolving;

public sealed class DnsMessageTests
{
    [Fact]
    public void Asks_for_a_name()
    {
        byte[] question = DnsMessage.WriteQuestion(0x1234, "a.example", DnsMessage.TypeA)!;
        question.ShouldBe(
        [
            0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0,
            1, (byte)'a', 7, .. "example"u8, 0, 0, 1, 0, 1,
        ]);
    }

    [Theory]
    [InlineData("a..b")]
    [InlineData("")]
    public void Asks_for_no_name_that_is_none(string name) =>
        DnsMessage.WriteQuestion(1, name, DnsMessage.TypeA).ShouldBeNull();

    [Fact]
    public void Reads_addresses_behind_an_alias()
    {
        DnsAnswer answer = DnsMessage.TryRead(Answer(), 0x1234)!;
        answer.Addresses.ShouldBe([IPAddress.Parse("127.0.0.7")]);
        answer.Alias.ShouldBe("b.example");
        answer.Seconds.ShouldBe(30u, "the alias is good for less");
    }

    [Fact]
    public void Takes_no_answer_to_another_question() =>
        DnsMessage.TryRead(Answer(), 0x1235).ShouldBeNull();

    [Fact]
    public void Takes_no_answer_that_is_cut()
    {
        byte[] answer = Answer();
        for (int length = 0; length < answer.Length; length++)
        {
            DnsMessage.TryRead(answer.AsSpan(0, length), 0x1234).ShouldBeNull();
        }
    }

    [Fact]
    public void Survives_whatever_comes() => Prop.ForAll(
        ArbMap.Default.ArbFor<byte[]>(),
        noise =>
        {
            byte[] message = [0x12, 0x34, 0x80, 0, 0, 1, 0, 2, 0, 0, 0, 0, .. noise];
            DnsMessage.TryRead(message, 0x1234);
        }).QuickCheckThrowOnFailure();

    private static byte[] Answer() =>
    [
        0x12, 0x34, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0,
        1, (byte)'a', 7, .. "example"u8, 0, 0, 1, 0, 1,
        0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 30, 0, 4, 1, (byte)'b', 0xc0, 14,
        0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 7,
    ];
}
