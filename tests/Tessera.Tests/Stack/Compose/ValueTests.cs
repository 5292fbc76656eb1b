using Shouldly;
using Tessera.Stack.Compose.Files;
using Tessera.Stack.Compose.Model;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;
using Tessera.Stack;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

/// <summary>Tables of the small languages inside of values.</summary>
public sealed class ValueTests
{
    [Theory]
    [InlineData("10s", "10s")]
    [InlineData("90s", "1m30s")]
    [InlineData("1h", "1h0m0s")]
    [InlineData("1h30m5.5s", "1h30m5.5s")]
    [InlineData("500ms", "500ms")]
    [InlineData("1500ms", "1.5s")]
    [InlineData("1.5us", "1.5µs")]
    [InlineData("20ns", "20ns")]
    [InlineData("1d", "24h0m0s")]
    [InlineData("1w2d", "216h0m0s")]
    [InlineData("0", "0s")]
    [InlineData("0s", "0s")]
    [InlineData("-2s", "-2s")]
    public void Durations_print_as_in_go(string text, string expected)
    {
        GoDuration.TryParse(text, out GoDuration duration).ShouldBeTrue();
        duration.ToString().ShouldBe(expected);
    }

    [Theory]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("s")]
    [InlineData("10x")]
    [InlineData("10 s")]
    [InlineData("1.2.3s")]
    [InlineData("-")]
    [InlineData("9999999999h")]
    [InlineData(".s")]
    public void Durations_need_units(string text) =>
        GoDuration.TryParse(text, out _).ShouldBeFalse();

    [Theory]
    [InlineData("0", 0)]
    [InlineData("1024", 1024)]
    [InlineData("1.5G", 1610612736)]
    [InlineData("64k", 65536)]
    [InlineData("64 KiB", 65536)]
    [InlineData("2mb", 2097152)]
    [InlineData("1T", 1099511627776)]
    [InlineData("10b", 10)]
    public void Sizes(string text, long expected)
    {
        ByteSize.TryParse(text, out long bytes).ShouldBeTrue();
        bytes.ShouldBe(expected);
    }

    [Theory]
    [InlineData("")]
    [InlineData("m")]
    [InlineData("1x")]
    [InlineData("-1")]
    [InlineData("99999999999P")]
    public void Sizes_refused(string text) => ByteSize.TryParse(text, out _).ShouldBeFalse();

    [Theory]
    [InlineData("a b  c", "a|b|c")]
    [InlineData("a 'b c' \"d e\"", "a|b c|d e")]
    [InlineData("a'b'\"c\"", "abc")]
    [InlineData("a\\ b", "a b")]
    [InlineData("'a\\b'", "a\\b")]
    [InlineData("\"a\\\"b\"", "a\"b")]
    [InlineData("''", "")]
    [InlineData("a '' b", "a||b")]
    [InlineData("--x='y z'", "--x=y z")]
    [InlineData("a\n  b\tc", "a|b|c")]
    [InlineData("echo $PORT", "echo|$PORT")]
    [InlineData("echo `a b` $(c d)", "echo|`a b`|$(c d)")]
    [InlineData("sh -c 'a && b > c'", "sh|-c|a && b > c")]
    public void Commands_split_into_words(string line, string expected)
    {
        ShellWords.TrySplit(line, out List<string> words, out string? ignored).ShouldBeTrue();
        string.Join('|', words).ShouldBe(expected);
        ignored.ShouldBeNull();
    }

    [Theory]
    [InlineData("a 'b")]
    [InlineData("a \"b")]
    [InlineData("a\\")]
    [InlineData("a (b)")]
    public void Commands_refused(string line) =>
        ShellWords.TrySplit(line, out _, out _).ShouldBeFalse();

    [Fact]
    public void Commands_end_where_only_a_shell_goes_on()
    {
        ShellWords.TrySplit("a b && c", out List<string> words, out string? ignored).ShouldBeTrue();
        words.ShouldBe(["a", "b"]);
        ignored.ShouldBe("&& c");
    }

    [Theory]
    [InlineData("80", "::80/tcp")]
    [InlineData("8080:80", ":8080:80/tcp")]
    [InlineData("8080:80/udp", ":8080:80/udp")]
    [InlineData("127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp")]
    [InlineData("127.0.0.1::80", "127.0.0.1::80/tcp")]
    [InlineData("[::1]:8080:80", "::1:8080:80/tcp")]
    [InlineData("::1:8080:80", "::1:8080:80/tcp")]
    [InlineData("8000-8001:80-81", ":8000:80/tcp :8001:81/tcp")]
    [InlineData("8000-8010:80", ":8000-8010:80/tcp")]
    [InlineData("9-10", "::10/tcp ::9/tcp")]
    public void Ports(string text, string expected)
    {
        IReadOnlyList<PortSpec> ports = PortSpec.Parse(text, out string problem);
        problem.ShouldBeEmpty();
        string.Join(' ', ports.Select(p => $"{p.HostIp}:{p.Published}:{p.Target}/{p.Protocol}"))
            .ShouldBe(expected);
    }

    [Theory]
    [InlineData("", "the port of the service is missing")]
    [InlineData("8080:", "the port of the service is missing")]
    [InlineData("x:80", "\"x\" is no port or range of ports (1 to 65535)")]
    [InlineData("80:70000", "\"70000\" is no port or range of ports (1 to 65535)")]
    [InlineData("1.2.3:1:2", "\"1.2.3\" is no IP address")]
    [InlineData("80/icmp", "the protocol is tcp, udp or sctp, not \"icmp\"")]
    [InlineData("8000-8002:80-81", "the ranges 8000-8002 and 80-81 are not of the same length")]
    [InlineData("81-80", "\"81-80\" is no port or range of ports (1 to 65535)")]
    [InlineData("1-65535", "\"1-65535\" is no port or range of ports (1 to 65535)")]
    public void Ports_refused(string text, string expected)
    {
        PortSpec.Parse(text, out string problem).ShouldBeEmpty();
        problem.ShouldBe(expected);
    }

    [Theory]
    [InlineData("no", RestartCondition.No, null)]
    [InlineData("always", RestartCondition.Always, null)]
    [InlineData("unless-stopped", RestartCondition.UnlessStopped, null)]
    [InlineData("on-failure", RestartCondition.OnFailure, null)]
    [InlineData("on-failure:5", RestartCondition.OnFailure, 5)]
    public void Restart_policies(string text, RestartCondition condition, int? retries) =>
        RestartSyntax.Parse(text, out _).ShouldBe(new RestartPolicy(condition, retries));

    [Theory]
    [InlineData("allways", "unknown restart policy \"allways\"; use one of \"no\", \"always\", " +
        "\"on-failure[:retries]\" or \"unless-stopped\"")]
    [InlineData("always:3", "a number of retries can only be used with \"on-failure\"")]
    [InlineData("on-failure:x", "the number of retries must be an integer, not \"x\"")]
    public void Restart_policies_refused(string text, string expected)
    {
        RestartSyntax.Parse(text, out string problem).ShouldBeNull();
        problem.ShouldBe(expected);
    }

    [Theory]
    [InlineData("SIGTERM", "SIGTERM")]
    [InlineData("term", "SIGTERM")]
    [InlineData("9", "SIGKILL")]
    [InlineData("sigusr1", "SIGUSR1")]
    [InlineData("SIGFOO", null)]
    [InlineData("0", null)]
    public void Signals(string text, string? expected) =>
        SignalName.Normalise(text).ShouldBe(expected);

    [Theory]
    [InlineData("My App", "myapp")]
    [InlineData("_-9a", "9a")]
    [InlineData("pihole-DoH", "pihole-doh")]
    [InlineData("a.b_c", "ab_c")]
    [InlineData("___", "")]
    [InlineData("ümläut", "mlut")]
    public void Project_names(string text, string expected) =>
        ProjectName.Normalise(text).ShouldBe(expected);

    [Theory]
    [InlineData("/a/b/../c/./d//", "/a/c/d")]
    [InlineData("a/../../b", "../b")]
    [InlineData("/..", "/")]
    [InlineData(".", ".")]
    public void Paths_are_cleaned(string path, string expected) =>
        Paths.Clean(path).ShouldBe(expected);

    [Theory]
    [InlineData("comand", "command")]
    [InlineData("prots", "ports")]
    [InlineData("enviroment", "environment")]
    [InlineData("depend_on", "depends_on")]
    [InlineData("zzzzzz", null)]
    public void Nearest_words(string word, string? expected) =>
        EditDistance.Nearest(word, ["command", "ports", "environment", "depends_on", "x"])
            .ShouldBe(expected);

    [Fact]
    public void Natural_order() =>
        new[] { "web10", "web2", "web", "a1b", "a-b", "ab", "web02" }
            .OrderBy(name => name, NaturalOrder.Instance)
            .ShouldBe(["a-b", "a1b", "ab", "web", "web2", "web02", "web10"]);

    [Theory]
    [InlineData(1.5, "1.5")]
    [InlineData(1.0, "1")]
    [InlineData(1e20, "100000000000000000000")]
    [InlineData(1e21, "1e+21")]
    [InlineData(0.00001, "1e-05")]
    public void Numbers_print_as_in_go(double value, string expected) =>
        Scalars.Format(value).ShouldBe(expected);

    [Theory]
    [InlineData("192.0.2.7:80", "192.0.2.7", 80)]
    [InlineData("app.internal:8080", "app.internal", 8080)]
    [InlineData("[::1]:80", "::1", 80)]
    public void Endpoints(string text, string host, int port) =>
        OptionsBinder.ParseEndpoint(text).ShouldBe((host, port));

    [Theory]
    [InlineData("app")]
    [InlineData(":80")]
    [InlineData("app:0")]
    [InlineData("::1:80")]
    [InlineData("http://app:80")]
    public void Endpoints_refused(string text) => OptionsBinder.ParseEndpoint(text).ShouldBeNull();
}
