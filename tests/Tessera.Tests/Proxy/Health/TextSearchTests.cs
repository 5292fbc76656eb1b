using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Tessera.Proxy.Health;
using Xunit;

namespace Tessera.Tests.Proxy.Health;

public sealed class TextSearchTests
{
    [Theory]
    [InlineData("aab", "aaab", true)]
    [InlineData("abab", "abaabab", true)]
    [InlineData("ok", "", false)]
    [InlineData("ok", "o k", false)]
    public void Finds_what_is_there(string text, string within, bool isFound) =>
        Search(text, within, pieceLength: 1).ShouldBe(isFound);

    [Fact]
    public void Finds_what_index_of_finds_however_it_is_cut()
    {
        Gen<string> words = Gen.Elements('a', 'b').ArrayOf().Select(c => new string(c));
        Prop.ForAll(
            words.Where(w => w.Length > 0).ToArbitrary(),
            words.ToArbitrary(),
            Gen.Choose(1, 5).ToArbitrary(),
            (text, within, pieceLength) => Search(text, within, pieceLength)
                == within.Contains(text, StringComparison.Ordinal))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(2_000).WithQuietOnSuccess(true));
    }

    private static bool Search(string text, string within, int pieceLength)
    {
        var search = new TextSearch(Encoding.ASCII.GetBytes(text));
        search.Feed("a"u8);
        search.Restart();
        foreach (byte[] piece in Encoding.ASCII.GetBytes(within).Chunk(pieceLength))
        {
            search.Feed(piece);
        }

        return search.IsFound;
    }
}
