using System.Text;
using Shouldly;
using Tessera.Proxy.Variables;
using Xunit;

namespace Tessera.Tests.Proxy.Variables;

public sealed class SplitVariableTests
{
    /// <summary>MurmurHash2 of the published reference, with 0 as its seed.</summary>
    [Theory]
    [InlineData("", 0u)]
    [InlineData("a", 0x92685F5Eu)]
    [InlineData("abcd", 0x26873021u)]
    public void Hashes_as_the_reference_does(string text, uint hash) =>
        SplitVariable.Murmur(Encoding.ASCII.GetBytes(text)).ShouldBe(hash);
}
