using System.Text.RegularExpressions;
using Shouldly;
using Xunit;

namespace Tessera.Tests.Tidy;

/// <summary>How we write, as tests over every file that is tracked.</summary>
public sealed partial class TidyTests
{
    private const int MaxFileLines = 600;
    private const int MaxFunctionLines = 80;
    private const int MaxColumns = 100;
    private const int MaxBlobBytes = 256 * 1_024;

    private static readonly string[] Paths = SourceFile.TrackedPaths();

    private static readonly SourceFile[] Sources =
    [
        .. Paths.Where(path => path.EndsWith(".cs", StringComparison.Ordinal))
            .Select(SourceFile.Read),
    ];

    [Fact]
    public void Sources_are_found()
    {
        Sources.Count(file => file.IsIn("src")).ShouldBeGreaterThan(10);
        Sources.ShouldContain(file => file.Path == "tests/Tessera.Tests/Tidy/TidyTests.cs");
    }

    [Fact]
    public void Files_have_at_most_600_lines() => ShouldBeEmpty(
        from file in Sources
        where file.Lines.Length - 1 > MaxFileLines
        select $"{file.Path}: {file.Lines.Length - 1} lines");

    [Fact]
    public void Functions_have_at_most_80_lines() => ShouldBeEmpty(
        from file in Sources
        from function in FunctionLengths.In(file)
        where file.IsIn("src") && function.Length > MaxFunctionLines
        select $"{file.Path}:{function.Line}: {function.Name} has {function.Length} lines");

    [Fact]
    public void Lines_have_at_most_100_columns() => ShouldBeEmpty(
        from file in Sources
        from at in Numbered(file.Lines)
        where at.Line.EnumerateRunes().Count() > MaxColumns
        select $"{file.Path}:{at.Number}: {at.Line.EnumerateRunes().Count()} columns");

    [Fact]
    public void Files_are_plain_text_with_line_feeds_and_one_at_the_end() => ShouldBeEmpty(
        from file in Sources
        let text = string.Join('\n', file.Lines)
        where text.Contains('\r') || text.Contains('\t') || text.StartsWith('\uFEFF')
            || !text.EndsWith('\n') || text.EndsWith("\n\n", StringComparison.Ordinal)
            || file.Lines.Any(line => line.EndsWith(' '))
        select $"{file.Path}: carriage return, tab, byte order mark, trailing space or bad end");

    [Theory]
    [InlineData("Task.Run")]
    [InlineData("ConfigureAwait")]
    [InlineData("Thread.Sleep")]
    [InlineData("Console.Write")]
    public void The_data_plane_never_calls(string banned) => ShouldBeEmpty(
        Occurrences(file => file.IsIn("src/Tessera.Proxy"), banned));

    /// <summary>Configurations are read by control threads.</summary>
    [Fact]
    public void The_data_plane_reads_whole_files_only_as_configuration() => ShouldBeEmpty(
        Occurrences(
            file => file.IsIn("src/Tessera.Proxy") && !file.IsIn("src/Tessera.Proxy/Nginx"),
            "File.ReadAll"));

    /// <summary>
    /// Control threads alone enter those that may; whatever a reactor calls waits for nobody.
    /// </summary>
    [Fact]
    public void The_data_plane_locks_only_where_configurations_are_applied() => ShouldBeEmpty(
        Occurrences(
            file => file.IsIn("src/Tessera.Proxy")
                && file.Path is not ("src/Tessera.Proxy/ProxyServer.cs"
                    or "src/Tessera.Proxy/ProxyServer.Handover.cs"
                    or "src/Tessera.Proxy/Resolving/BackendNames.cs"
                    or "src/Tessera.Proxy/Routing/BackendTable.cs"),
            "lock ("));

    [Fact]
    public void Waiting_is_never_by_blocking_on_a_task() => ShouldBeEmpty(
        Matches(file => file.IsIn("src"), BlockingWait()));

    [Theory]
    [InlineData(
        "src/Tessera.Linux", "Tessera.Proxy", "Tessera.Stack", "YamlDotNet", "Microsoft.AspNetCore",
        "Microsoft.Extensions")]
    [InlineData(
        "src/Tessera.Proxy", "Tessera.Stack", "YamlDotNet", "Microsoft.AspNetCore",
        "Microsoft.Extensions", "System.Net.Http")]
    [InlineData("src/Tessera.Stack", "Tessera.Proxy", "Microsoft.AspNetCore", "Spectre.Console",
        "System.CommandLine")]
    public void Layers_never_use_what_lies_above(string folder, params string[] banned) =>
        ShouldBeEmpty(
            from file in Sources
            where file.IsIn(folder)
            from at in Numbered(file.Code)
            from name in banned
            where UsesNamespace(at.Line, name)
            select $"{file.Path}:{at.Number}: {at.Line.Trim()}");

    [Fact]
    public void Only_the_linux_project_calls_native_code() => ShouldBeEmpty(
        Matches(
            file => file.IsIn("src") && !file.IsIn("src/Tessera.Linux"),
            NativeCall()));

    [Fact]
    public void Unsafe_code_stays_where_bytes_meet_the_kernel() => ShouldBeEmpty(
        Matches(
            file => file.IsIn("src") && !file.IsIn("src/Tessera.Linux")
                && !file.IsIn("src/Tessera.Proxy/Reactors")
                && !file.IsIn("src/Tessera.Proxy/Transports"),
            Unsafe()));

    [Fact]
    public void Nothing_is_marked_as_unfinished() => ShouldBeEmpty(
        from file in Sources
        from at in Numbered(file.Lines)
        where Unfinished().IsMatch(at.Line)
        select $"{file.Path}:{at.Number}: {at.Line.Trim()}");

    [Fact]
    public void Types_are_named_by_what_they_are() => ShouldBeEmpty(
        from file in Sources
        from at in Numbered(file.Code)
        from Match type in TypeName().Matches(at.Line)
        where VagueSuffix().IsMatch(type.Groups["name"].Value)
        select $"{file.Path}:{at.Number}: {type.Groups["name"].Value}");

    [Fact]
    public void Namespaces_take_no_braces() => ShouldBeEmpty(
        Matches(_ => true, BracedNamespace()));

    [Fact]
    public void Async_methods_return_what_can_be_awaited() => ShouldBeEmpty(
        Matches(_ => true, AsyncVoid()));

    [Fact]
    public void No_test_is_skipped() => ShouldBeEmpty(
        Matches(file => file.IsIn("tests"), SkippedTest()));

    [Fact]
    public void No_file_is_larger_than_256_KiB() => ShouldBeEmpty(
        from path in Paths
        let length = new FileInfo(Path.Combine(SourceFile.Root, path)).Length
        where length > MaxBlobBytes
        select $"{path}: {length} bytes");

    [Fact]
    public void Rules_see_code_and_not_text()
    {
        var file = SourceFile.Parse("x.cs", """"
            a("lock (", 'x', '"', $"{b("}")} lock {{"); // lock (
            c(@"lock ("" \"); /* lock (
            lock ( */ d($$"""
                lock (
                """); lock (e)
            """");

        Numbered(file.Code)
            .Where(at => at.Line.Contains("lock (", StringComparison.Ordinal))
            .Select(at => at.Number)
            .ShouldBe([5]);
        file.Code[1].TrimEnd().ShouldBe("c(             );");
    }

    [Fact]
    public void Function_lengths_are_counted_from_head_to_brace()
    {
        var file = SourceFile.Parse("x.cs", """
            public sealed class X(int y)
            {
                public X() : this(1)
                {
                }

                [Fact]
                private static async Task<(int A, int B)> Both<T>(
                    T value, CancellationToken cancellation = default)
                    where T : class
                {
                    if (value is null)
                    {
                        return (await One(value), 2);
                    }
                }

                public int Short() => Other(
                    1);
            }
            """);

        FunctionLengths.In(file).ShouldBe([("X", 3, 3), ("Both", 8, 9), ("Short", 18, 2)]);
    }

    private static void ShouldBeEmpty(IEnumerable<string> violations)
    {
        string[] all = [.. violations];
        all.Length.ShouldBe(0, "\n" + string.Join('\n', all) + "\n");
    }

    private static IEnumerable<(string Line, int Number)> Numbered(string[] lines) =>
        lines.Select((line, index) => (line, index + 1));

    private static IEnumerable<string> Occurrences(Func<SourceFile, bool> applies, string text) =>
        from file in Sources
        where applies(file)
        from at in Numbered(file.Code)
        where at.Line.Contains(text, StringComparison.Ordinal)
        select $"{file.Path}:{at.Number}: {at.Line.Trim()}";

    private static IEnumerable<string> Matches(Func<SourceFile, bool> applies, Regex pattern) =>
        from file in Sources
        where applies(file)
        from at in Numbered(file.Code)
        where pattern.IsMatch(at.Line)
        select $"{file.Path}:{at.Number}: {at.Line.Trim()}";

    private static bool UsesNamespace(string line, string name)
    {
        Match use = Use().Match(line);
        return use.Success && use.Groups["name"].Value is var used
            && (used.StartsWith(name, StringComparison.Ordinal)
                && (used.Length == name.Length || name.EndsWith('.') || used[name.Length] == '.'));
    }

    [GeneratedRegex(
        @"^\s*(global\s+)?using\s+(static\s+)?(\w+\s*=\s*)?(global::)?(?<name>[\w.]+)\s*;")]
    private static partial Regex Use();

    [GeneratedRegex(@"\.GetAwaiter\(\)\.GetResult\(\)|\)\.Wait\(\)")]
    private static partial Regex BlockingWait();

    [GeneratedRegex(@"\b(LibraryImport|DllImport|NativeLibrary)\b|\bextern\b")]
    private static partial Regex NativeCall();

    [GeneratedRegex(@"\bunsafe\b")]
    private static partial Regex Unsafe();

    // Put together from halves, so that this line is not a finding itself.
    [GeneratedRegex(@"\b(TO" + @"DO|FIX" + @"ME|XX" + @"X|HA" + @"CK)\b|NotImpl" + @"emented")]
    private static partial Regex Unfinished();

    [GeneratedRegex(
        @"\b(class|struct|record|interface|enum)\s+(class\s+|struct\s+)?(?<name>[A-Z]\w*)")]
    private static partial Regex TypeName();

    [GeneratedRegex("(Manager|Helper|Helpers|Util|Utils|Utility|Processor|Info|Impl)$")]
    private static partial Regex VagueSuffix();

    [GeneratedRegex(@"^namespace\s+[\w.]+\s*(\{|$)")]
    private static partial Regex BracedNamespace();

    [GeneratedRegex(@"\basync\s+void\b")]
    private static partial Regex AsyncVoid();

    [GeneratedRegex(@"\bSkip\s*=|\bAssert\.Skip\(|\bExplicit\s*=")]
    private static partial Regex SkippedTest();
}
