using System.Text;
using Shouldly;
using Tessera.Proxy.Access;
using Xunit;

namespace Tessera.Tests.Proxy.Access;

/// <summary>The hashes were made by Debian's openssl passwd and crypt(3).</summary>
public sealed class PasswordHashTests
{
    private const string Long =
        "a much longer password with spaces and ümlauts, longer than seventy-two bytes in all, "
        + "truly";

    public static TheoryData<string, string> Hashes => new()
    {
        { "secret", "{PLAIN}secret" },
        { "", "{PLAIN}" },
        { "secret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=" },
        { "secret", "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0" },
        { "secret", "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/" },
        { Long, "$apr1$abcdefgh$dfBaBOje.FsBY96CSkM4L." },
        { "", "$apr1$abcdefgh$L.PT565ESX4Tp2bqNs7Ie." },
        { "secret", "$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi." },
        { Long, "$5$saltstring$XR5AJoAonXGSPKWM9RQIFcIXOJCs8KqWVbzHrNFseN6" },
        { "secret", "$5$rounds=1000$s$1G5532wclKO2DGU0xcX3Rd6BmCQw9FWjZAp9VdiPyK3" },
        { "", "$5$rounds=1000$s$cdjvTno7yp4OJ1Yyxn95LrCQTyxHsv3TK6lXb48P4L1" },
        {
            "secret",
            "$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZT"
            + "ITsuk0Ry5qulYz."
        },
        {
            Long,
            "$6$saltstring$mUe5NLLZ3wJqQGfJBoKYwwQSR/e2CA4BFLzeMfrvyw0XFLUIxh6M15bBN/yacWbZePXne6E"
            + "ieH0l6tmqvPuPf."
        },
        {
            "secret",
            "$6$rounds=1400$anotherlongsalts$Twf2eP6WMY29NT9yg1Nff0x6Ul/TWD9vkV2VVPyEX7uifmXI0FHGx"
            + "3rX27ttfZtfB9phxv3003yyBPq3nGFb8."
        },
        { "secret", "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a" },
        { Long, "$2y$05$abcdefghijklmnopqrstuuzGDP2FE43VwsfHgxxw42eVVjAtePGXO" },
        { "", "$2y$05$abcdefghijklmnopqrstuu0oImNDIy4flhldV9YqunRgBAePKmw7m" },
        { "secret", "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a" },
    };

    [Theory]
    [MemberData(nameof(Hashes))]
    public void Knows_the_right_password_from_wrong_ones(string password, string hash)
    {
        var parsed = PasswordHash.Parse(hash);
        parsed.Verify(Encoding.UTF8.GetBytes(password)).ShouldBeTrue();
        parsed.Verify(Encoding.UTF8.GetBytes("x" + password)).ShouldBeFalse();
        parsed.Verify("Secret"u8).ShouldBeFalse();
    }

    [Theory]
    [InlineData("")]
    [InlineData("secret")]
    [InlineData("{SHA}short")]
    [InlineData("{SHA}!!!!6G6MezRroT3XKqkdPOmY/BfQ=")]
    [InlineData("$apr1$abcdefgh")]
    [InlineData("$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ")]
    [InlineData("$5$rounds=999$s$1G5532wclKO2DGU0xcX3Rd6BmCQw9FWjZAp9VdiPyK3")]
    [InlineData("$5$rounds=99999999999$s$1G5532wclKO2DGU0xcX3Rd6BmCQw9FWjZAp9VdiPyK3")]
    [InlineData("$2y$31$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a")]
    [InlineData("$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0!")]
    [InlineData("$7$unknown$h9FWgUz3n9YxylKLlR5SQ/")]
    public void Says_what_is_wrong_with_a_hash(string hash)
    {
        string fault = PasswordEntry.FindFault("ann:" + hash).ShouldNotBeNull();
        fault.ShouldStartWith("user \"ann\": ");
        PasswordEntry.FindFault("ann:{PLAIN}x").ShouldBeNull();
        PasswordEntry.FindFault("ann").ShouldBe("a user is written as name:hash");
    }
}
