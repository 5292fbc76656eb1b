using System.Text;
using Shouldly;
using Tessera.Stack.Compose.Yaml;
using Tessera.Stack;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

public sealed class YamlReaderTests
{
    [Theory]
    [InlineData("yes", "yes")]
    [InlineData("no", "no")]
    [InlineData("on", "on")]
    [InlineData("Off", "Off")]
    [InlineData("true", true)]
    [InlineData("FALSE", false)]
    [InlineData("~", null)]
    [InlineData("", null)]
    [InlineData("Null", null)]
    [InlineData("12", 12L)]
    [InlineData("-7", -7L)]
    [InlineData("+7", 7L)]
    [InlineData("0o17", 15L)]
    [InlineData("017", 15L)]
    [InlineData("08", 8.0)]
    [InlineData("0x1F", 31L)]
    [InlineData("0b101", 5L)]
    [InlineData("1_000", 1000L)]
    [InlineData("1.5", 1.5)]
    [InlineData("-.5e3", -500.0)]
    [InlineData(".", ".")]
    [InlineData("1.2.3", "1.2.3")]
    [InlineData("80:80", "80:80")]
    [InlineData("2026-01-02", "2026-01-02")]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("-9223372036854775808", long.MinValue)]
    [InlineData("'12'", "12")]
    [InlineData("\"true\"", "true")]
    [InlineData("!!str 12", "12")]
    [InlineData("!!int '12'", 12L)]
    public void Resolves_scalars(string yaml, object? expected) =>
        ((ScalarNode)((MappingNode)Read("a: " + yaml)[0])["a"]!).Value.ShouldBe(expected);

    [Fact]
    public void Keeps_places()
    {
        MappingNode root = (MappingNode)Read("a: 1\nb:\n  - x\n  - {c: y}\n")[0];
        root.Find("b")!.Value.KeyPosition.ToString().ShouldBe("test.yaml:2:1");
        SequenceNode list = (SequenceNode)root["b"]!;
        list.Items[0].Position.ToString().ShouldBe("test.yaml:3:5");
        ((MappingNode)list.Items[1]).Find("c")!.Value.KeyPosition.ToString()
            .ShouldBe("test.yaml:4:6");
    }

    [Fact]
    public void Merges_maps_and_lists_of_maps()
    {
        MappingNode root = (MappingNode)Read("""
            one: &one { a: 1, b: 1 }
            two: &two { b: 2, c: 2 }
            own: { <<: *one, a: own }
            both: { <<: [*one, *two], d: own }
            """)[0];
        Flat(root["own"]!).ShouldBe("a=own b=1");
        Flat(root["both"]!).ShouldBe("a=1 b=1 c=2 d=own");
    }

    [Theory]
    [InlineData("a: 1\na: 2", "test.yaml:2:1: the key \"a\" is given twice, first on line 1.")]
    [InlineData("{a: 1, b: {c: 1, c: 2}}",
        "test.yaml:1:18: the key \"c\" is given twice, first on line 1.")]
    [InlineData("a: *x", "test.yaml:1:4: there is no anchor \"x\" before this line.")]
    [InlineData("a: &x [*x]", "test.yaml:1:8: the anchor \"x\" contains itself.")]
    [InlineData("a: !foo b", "test.yaml:1:4: unknown tag \"!foo\"; !reset and !override are the " +
        "tags of Compose files.")]
    [InlineData("[a, b]: c", "test.yaml:1:1: a key must be a string, not a list.")]
    [InlineData("a: {<<: 1}", "test.yaml:1:9: \"<<\" merges a mapping or a list of mappings, " +
        "not an integer.")]
    [InlineData("a: !!int x", "test.yaml:1:4: \"x\" is not of the type that its tag names.")]
    public void Refuses(string yaml, string message) =>
        Should.Throw<UserErrorException>(() => Read(yaml)).Message.ShouldBe(message);

    [Theory]
    [InlineData("a: [1, 2", "test.yaml:2:1: not valid YAML")]
    [InlineData("a: b: c", "test.yaml:1:5: not valid YAML")]
    [InlineData("a:\n\t- b", "test.yaml:2:1: not valid YAML")]
    [InlineData("a: 'open", "test.yaml:1:4: not valid YAML")]
    public void Says_where_the_syntax_breaks(string yaml, string start) =>
        Should.Throw<UserErrorException>(() => Read(yaml)).Message.ShouldStartWith(start);

    [Fact]
    public void Bounds_aliases()
    {
        StringBuilder bomb = new("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (int level = 1; level < 12; level++)
        {
            string alias = $"*a{level - 1}";
            string aliases = string.Join(", ", Enumerable.Repeat(alias, 10));
            bomb.Append($"a{level}: &a{level} [{aliases}]\n");
        }

        Should.Throw<UserErrorException>(() => Read(bomb.ToString())).Message
            .ShouldContain("more than 1000000 nodes once aliases are expanded");
    }

    [Theory]
    [InlineData(127, true)]
    [InlineData(128, false)]
    [InlineData(50_000, false)]
    public void Bounds_depth(int levels, bool isAllowed)
    {
        string deep = new string('[', levels) + new string(']', levels);
        if (isAllowed)
        {
            Read("a: " + deep).Count.ShouldBe(1);
        }
        else
        {
            Should.Throw<UserErrorException>(() => Read("a: " + deep)).Message
                .ShouldContain("nested deeper than 128 levels");
        }
    }

    [Fact]
    public void Bounds_size() =>
        Should.Throw<UserErrorException>(
            () => YamlReader.Read("test.yaml", new byte[YamlReader.MaxBytes + 1])).Message
            .ShouldBe("test.yaml: the file is larger than 16 MiB.");

    [Fact]
    public void Refuses_what_is_no_text() =>
        Should.Throw<UserErrorException>(() => YamlReader.Read("test.yaml", [0x61, 0xFF, 0xFE]))
            .Message.ShouldBe("test.yaml:1:2: the file is not UTF-8 text.");

    [Fact]
    public void Says_where_text_ends_and_what_else_it_is()
    {
        MessageOf([.. "a: 1\nb: ü"u8, 0xC3]).ShouldBe(
            "test.yaml:2:5: the file is not UTF-8 text.");
        MessageOf([0xFF, 0xFE, 0x61, 0]).ShouldBe(
            "test.yaml:1:1: the file is not UTF-8 text but UTF-16; save it as UTF-8.");

        static string MessageOf(byte[] content) =>
            Should.Throw<UserErrorException>(() => YamlReader.Read("test.yaml", content)).Message;
    }

    [Fact]
    public void Reads_every_document() =>
        Read("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n").Count.ShouldBe(2);

    private static IReadOnlyList<Node> Read(string yaml) =>
        YamlReader.Read("test.yaml", Encoding.UTF8.GetBytes(yaml));

    private static string Flat(Node node) => string.Join(
        ' ',
        ((MappingNode)node).Entries
            .OrderBy(entry => entry.Key, StringComparer.Ordinal)
            .Select(entry => $"{entry.Key}={((ScalarNode)entry.Value).ToText()}"));
}
