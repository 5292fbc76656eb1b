using System.Text;
using System.Text.RegularExpressions;
using Shouldly;
using Tessera.Proxy.Routing;
using Xunit;

namespace Tessera.Tests.Proxy.Routing;

/// <summary>What expressions mean, as pcre2pattern(3) says it and PCRE 10.42 does it.</summary>
public sealed class ExpressionTextTests
{
    private static readonly (string Text, Func<int, bool> Has)[] Members =
    [
        ("a", c => c == 'a'), (@"\-[aeiou", c => "-[aeiou".Contains((char)c)),
        ("b-f", c => c is >= 'b' and <= 'f'), (@"\]", c => c == ']'), ("^", c => c == '^'),
        (@"\d", IsDigit), (@"\D", c => !IsDigit(c)), (@"\w", IsWord), (@"\W", c => !IsWord(c)),
        (@"\s", IsSpace), (@"\S", c => !IsSpace(c)), (@"\xe9", c => c == 0xE9),
        (@"k-\xff", c => c >= 'k'), (@"\h", c => c is 9 or ' ' or 0xA0), (@"\b", c => c == 8),
        (@"\101", c => c == 'A'), (@"\Q]^\E", c => c is ']' or '^'), (@"\x{b5}", c => c == 0xB5),
        ("[:digit:]", IsDigit), ("[:^digit:]", c => !IsDigit(c)), ("[:space:]", IsSpace),
        ("[:alpha:]", c => char.IsAsciiLetter((char)c)),
        ("[:^alpha:]", c => !char.IsAsciiLetter((char)c)),
        ("[:upper:]", c => c is >= 'A' and <= 'Z'), ("[:lower:]", c => c is >= 'a' and <= 'z'),
        ("[:xdigit:]", c => char.IsAsciiHexDigit((char)c)), ("[:word:]", IsWord),
        ("[:punct:]", c => c is > ' ' and < 0x7F && !char.IsAsciiLetterOrDigit((char)c)),
        ("[:cntrl:]", c => c is < ' ' or 0x7F), ("[:blank:]", c => c is 9 or ' '),
        ("[:print:]", c => c is >= ' ' and < 0x7F), ("[:graph:]", c => c is > ' ' and < 0x7F),
    ];

    [Theory]
    [InlineData("^/p/[[:digit:]]+$", "/p/12", "/p/12")]
    [InlineData("^/p/[[:digit:]]+$", "/p/:]", null)]
    [InlineData("^/u/[a-z-[aeiou]]+$", "/u/b", null)]
    [InlineData("^/u/[a-z-[aeiou]]+$", "/u/a]", "/u/a]")]
    [InlineData("[]()](x)?", "]", "]|")]
    [InlineData("a++a", "aaa", null)]
    [InlineData("(ab)*+a?+$", "ababa", "ababa|ab")]
    [InlineData("^(?>ab|a)b$", "ab", null)]
    [InlineData(@"\Qa.(\E+b", "a.((b", "a.((b")]
    [InlineData(@"\x41\x{42}\103\0", "ABC\0", "ABC\0")]
    [InlineData(@"(?<a>.)(?'b'.)\k<b>\g1\g{-2}(?P=b)\k{a}", "xyyxxyx", "xyyxxyx|x|y")]
    [InlineData(@"(.)(.)(.)(.)(.)(.)(.)(.)(.)\11", "123456789\t", "123456789\t|1|2|3|4|5|6|7|8|9")]
    [InlineData("(?x) a b # c(\n c", "abc", "abc")]
    [InlineData("(?i)k(?-i)K|(?i:s)s", "kK", "kK")]
    [InlineData("((?i)a)b", "AB", null)]
    [InlineData("{a}{1x}{", "{a}{1x}{", "{a}{1x}{")]
    [InlineData(@"^\R\N{2}\R$", "\r\nab\v", "\r\nab\v")]
    [InlineData(@"(?(1)a|b)()(?(1)a|b)", "ba", "ba|")]
    [InlineData(@"[[:<:]]b[[:>:]]", "ab-b", "b")]
    [InlineData("(?#a(b)c", "c", "c")]
    public void Means_what_pcre_means(string expression, string text, string? groups) =>
        Match(expression, text).ShouldBe(groups);

    /// <summary>Bytes beyond ASCII are no letters, digits or spaces, and have no case.</summary>
    [Theory]
    [InlineData(@"^\W+$", "é", true)]
    [InlineData(@"^\S+$", "\u00a0\u0085", true)]
    [InlineData(@"\s", "\u00a0\u0085", false)]
    [InlineData(@"a\b.", "aé", true)]
    [InlineData(@"^\bé", "é", false)]
    [InlineData("^.{2}$", "é", true)]
    [InlineData("(*UTF8)^.$", "é", true)]
    [InlineData("(*UTF8)^[а-я]+$", "мир", true)]
    [InlineData(@"(*UTF8)^\w", "é", false)]
    [InlineData(@"(*UTF8)a\b.", "aé", true)]
    public void Knows_ascii_alone(string expression, string text, bool fits) =>
        (Match(expression, text) is not null).ShouldBe(fits);

    [Fact]
    public void Letter_case_is_that_of_ascii()
    {
        var high = Enumerable.Range(0x80, 0x80).Select(code => (byte)code).ToArray();
        foreach (byte one in high)
        {
            var pattern = PatternOf($"[\\x{one:x2}kK]", ignoresCase: true);
            high.Where(other => Fits(pattern, other)).ShouldBe([one]);
        }
    }

    /// <summary>Classes of members that are drawn, beside a matcher of one line.</summary>
    [Fact]
    public void Classes_have_the_members_that_they_name()
    {
        var random = new Random(7);
        for (int round = 0; round < 400; round++)
        {
            var drawn = random.GetItems(Members, random.Next(1, 4));
            bool isNegated = random.Next(2) == 0;

            // "^" in front would turn the class around.
            string text = $"[{(isNegated ? "^" : "")}!{string.Concat(drawn.Select(d => d.Text))}]";
            Pattern pattern = PatternOf(text);
            var expected = Enumerable.Range(0, 256)
                .Where(c => (c == '!' || drawn.Any(d => d.Has(c))) != isNegated);
            Enumerable.Range(0, 256).Where(c => Fits(pattern, (byte)c))
                .ShouldBe(expected, text);
        }
    }

    [Theory]
    [InlineData("[[:foo:]]", "unknown POSIX class name")]
    [InlineData("[:digit:]", "POSIX named classes are supported only within a class")]
    [InlineData("[[.a.]]", "POSIX collating elements are not supported")]
    [InlineData(@"[\w-.]", "invalid range in character class")]
    [InlineData("[z-a]", "range out of order in character class")]
    [InlineData("[a", "missing terminating ] for character class")]
    [InlineData("a**", "quantifier does not follow a repeatable item")]
    [InlineData("(", "missing closing parenthesis")]
    [InlineData(")", "unmatched closing parenthesis")]
    [InlineData(@"\y", @"unrecognized character follows \")]
    [InlineData(@"(a)\2", "reference to non-existent subpattern")]
    [InlineData("a{3,2}", "numbers out of order in {} quantifier")]
    [InlineData("(?|a)", "\"(?|a\" is not supported")]
    [InlineData(@"a\K", "\"\\K\" is not supported")]
    [InlineData("(?&n)", "\"(?&n\" is not supported")]
    [InlineData("(?R)", "\"(?R)\" is not supported")]
    [InlineData("(*UCP)a", "\"(*UCP)\" is not supported")]
    public void Refuses_what_is_wrong_or_not_understood(string expression, string message) =>
        Should.Throw<ArgumentException>(() => ExpressionText.Translate(expression))
            .Message.ShouldBe(message);

    [Fact]
    public void Names_are_numbered_with_all_groups() =>
        string.Join(' ', ExpressionText.Translate(@"(x)(?<name>[^(]+)\((?'b'y)").Names
            .Select(name => $"{name.Group}:{name.Name}")).ShouldBe("2:name 3:b");

    [Fact]
    public void A_match_that_is_given_up_is_no_miss()
    {
        var pattern = PatternOf(@"^/(?!zz)(a+)+\.php$");
        pattern.Test("/" + new string('a', 60) + ".phq").ShouldBe(MatchOutcome.Failed);
        pattern.Test("/" + new string('a', 60) + ".php").ShouldBe(MatchOutcome.Match);
        pattern.Test("/b").ShouldBe(MatchOutcome.None);
    }

    /// <summary>The groups of a match, as bytes; null for none.</summary>
    private static string? Match(string expression, string text)
    {
        var translated = ExpressionText.Translate(expression);
        string letters = translated.IsUtf ? text : ByteText.Of(Encoding.UTF8.GetBytes(text));
        Pattern.Of(translated, ignoresCase: false).Match(letters, out Match? match);
        return match is null ? null : string.Join('|', match.Groups.Values.Select(g => g.Value));
    }

    private static Pattern PatternOf(string expression, bool ignoresCase = false) =>
        Pattern.Of(ExpressionText.Translate(expression, ignoresCase), ignoresCase);

    private static bool Fits(Pattern pattern, byte letter) =>
        pattern.Test(ByteText.Of([letter])) == MatchOutcome.Match;

    private static bool IsDigit(int code) => code is >= '0' and <= '9';

    private static bool IsWord(int code) =>
        code is '_' || (code < 0x80 && char.IsAsciiLetterOrDigit((char)code));

    private static bool IsSpace(int code) => code is ' ' or (>= 9 and <= 13);
}
