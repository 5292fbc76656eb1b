using System.Diagnostics;
using System.Text.RegularExpressions;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>Files that cannot be used: both programs say the same of them.</summary>
public sealed partial class SyntaxAgreementTests : IDisposable
{
    private const string Files = "error_log logs/error.log;\n";

    private readonly string _prefix =
        Directory.CreateTempSubdirectory("tessera-syntax-").FullName + "/";

    public SyntaxAgreementTests()
    {
        Directory.CreateDirectory(_prefix + "logs");
        Directory.CreateDirectory(_prefix + "more");
        File.WriteAllText(_prefix + "more/bad.conf", "\n\nfoo bar;\n");
        File.WriteAllText(_prefix + "more/cut.conf", "worker_processes 1");
        File.WriteAllText(_prefix + "more/brace.conf", "events {\n}\n}\n");
        File.CreateSymbolicLink(_prefix + "nginx", Repository.Binary);
    }

    public void Dispose() => Directory.Delete(_prefix, recursive: true);

    [Fact]
    public Task Main_blocks() => ShouldAgreeAsync(
    [
        "", "events", "events {", "events {}}", "events {};", "foo;", "events { foo; }",
        "events {} events {}", "user;", "daemon maybe;", "daemon on off;",
        "worker_processes x; events {}", "worker_connections 10; events {}",
        "events { worker_connections x; }", "events { use foo; }", "{}", ";", "}", "\"events {}",
        "'abc'd;", "events {} $foo;", "events {} 'foo\n\nbar", "# only a comment",
        "worker_processes\n 1\n 2\n;events {}", "events {} http {} http {}", "http;",
        "error_log x foo; events {}", "worker_priority x; events {}",
    ]);

    [Fact]
    public Task Includes() => ShouldAgreeAsync(
    [
        "include more/none.conf; events {}", "include more/*.nope; events {}",
        "include more/bad.conf;\nevents {}", "include more/cut.conf;\nevents {}",
        "include more/brace.conf;", "include; events {}", "include a b; events {}",
        "events {}\nhttp {\n include more/bad.conf;\n}", "include more/[b]ad.conf; events {}",
    ]);

    [Fact]
    public Task Logs() => ShouldAgreeAsync(
    [
        .. ((string[])[
            "log_format;", "log_format a;", "log_format a \"$nonesuch\";",
            "log_format a x; log_format a y;", "log_format combined x;",
            "log_format a escape=foo x;", "access_log;", "access_log logs/x nope;",
            "access_log logs/x combined foo;", "access_log logs/x combined buffer=x;",
            "access_log logs/x combined flush=1s;", "access_log logs/x combined gzip=10;",
            "access_log off foo;", "access_log logs/$host combined buffer=1k;",
            "access_log syslog:server=;", "access_log syslog:foo=1;",
            "access_log syslog:server=127.0.0.1,facility=foo;",
            "access_log syslog:server=127.0.0.1,tag=a-b;",
            "access_log syslog:server=127.0.0.1 combined buffer=4k;",
            "access_log logs/x combined if=$nonesuch;", "access_log /nonesuch/x;",
            "open_log_file_cache foo;", "open_log_file_cache inactive=1s;",
            "log_not_found maybe;", "error_log /nonesuch/x;",
        ]).Select(line =>
            $"events {{}}\nhttp {{\n server {{\n  listen 127.0.0.1:1; {line}\n }}\n}}"),
    ]);

    private async Task ShouldAgreeAsync(string[] configurations)
    {
        List<string> differences = [];
        foreach (string configuration in configurations)
        {
            await File.WriteAllTextAsync(_prefix + "t.conf", Files + configuration);
            string expected = await TestAsync("/usr/sbin/nginx");
            string actual = await TestAsync(_prefix + "nginx");
            if (actual != expected)
            {
                differences.Add($"--- {configuration}\nnginx: {expected}\ntessera: {actual}");
            }
        }

        differences.ShouldBeEmpty(string.Join('\n', differences));
    }

    private async Task<string> TestAsync(string program)
    {
        await using var command = new RunningCommand(new ProcessStartInfo(
            program,
            ["-t", "-p", _prefix, "-c", "t.conf", "-e", "logs/early.log", "-g", "user root;"]));
        CommandResult result = await command.WaitAsync();
        return $"{result.ExitCode}\n{Warning().Replace(result.Errors, "")}";
    }

    /// <summary>What only one of them thinks of running as root, or as somebody else.</summary>
    [GeneratedRegex("nginx: \\[warn\\] the \"user\" directive.*\n")]
    private static partial Regex Warning();
}
