using System.Text;
using Shouldly;
using Tessera.Proxy.Answers;
using Xunit;

namespace Tessera.Tests.Proxy.Answers;

public class SubstitutionTests
{
    [Theory]
    [InlineData("hello", "hello", "")]
    [InlineData("a foo b foo", "a X b X", "foo=X")]
    [InlineData("a FoO b", "a X b", "foo=X")]
    [InlineData("fofofoo", "fofoX", "foo=X")]
    [InlineData("fo", "fo", "foo=X")]
    [InlineData("foobar foo", "Y X", "foo=X foobar=Y")]
    [InlineData("foobaz", "Xbaz", "foo=X foobar=Y")]
    [InlineData("aaaa", "XX", "aa=X")]
    public void Replaces_however_the_body_is_cut(string body, string expected, string pairs)
    {
        for (int first = 0; first <= body.Length; first++)
        {
            for (int second = first; second <= body.Length; second++)
            {
                Apply(pairs, isOnce: false, body[..first], body[first..second], body[second..])
                    .ShouldBe(expected, $"cut at {first} and {second}");
            }
        }
    }

    [Fact]
    public void Replaces_each_text_once_when_told_so() =>
        Apply("foo=X bar=Y", isOnce: true, "foo bar ", "foo bar").ShouldBe("X Y foo bar");

    private static string Apply(string pairs, bool isOnce, params string[] pieces)
    {
        (byte[], byte[])[] parsed =
        [
            .. pairs.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(p => p.Split('='))
                .Select(p => (Encoding.ASCII.GetBytes(p[0]), Encoding.ASCII.GetBytes(p[1]))),
        ];
        var substitution = new Substitution(parsed, isOnce);
        using var output = new MemoryStream();
        for (int i = 0; i < pieces.Length; i++)
        {
            bool isLast = i == pieces.Length - 1;
            substitution.TryWrite(Encoding.ASCII.GetBytes(pieces[i]), isLast, output)
                .ShouldBeTrue();
        }

        return Encoding.ASCII.GetString(output.ToArray());
    }
}
