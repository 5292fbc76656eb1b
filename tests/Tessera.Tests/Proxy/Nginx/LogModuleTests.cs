using System.Collections.Immutable;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Nginx;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

public sealed class LogModuleTests : IDisposable
{
    private readonly string _prefix =
        Directory.CreateTempSubdirectory("tessera-read-").FullName + "/";

    public void Dispose() => Directory.Delete(_prefix, recursive: true);

    [Fact]
    public void A_location_has_the_logs_of_the_innermost_block_that_names_any()
    {
        ServerConfig server = ReadServer(
            """
            access_log all.log;
            server {
                listen 127.0.0.1:1;
                location /off { access_log off; }
                location /two { access_log one.log; access_log two.log combined buffer=1k; }
                location /all { }
            }
            """);
        AccessLogsOf(server, "/off").ShouldBeEmpty();
        AccessLogsOf(server, "/two").Select(log => Path.GetFileName(log.Path))
            .ShouldBe(["one.log", "two.log"]);
        AccessLogsOf(server, "/two")[1].BufferBytes.ShouldBe(1_024);
        AccessLogsOf(server, "/two")[1].FlushMs.ShouldBe(int.MaxValue);
        AccessLogsOf(server, "/all").ShouldHaveSingleItem().FlushMs.ShouldBe(0);
    }

    [Fact]
    public void A_syslog_has_its_facility_and_severity_in_its_priority()
    {
        ServerConfig server = ReadServer(
            """
            access_log syslog:server=127.0.0.1:99,facility=local1,severity=warn,tag=x,nohostname;
            server { listen 127.0.0.1:1; }
            """);
        SyslogConfig syslog = server.Fallback.AccessLogs.ShouldHaveSingleItem().Syslog!;
        syslog.Priority.ShouldBe((17 * 8) + 4);
        syslog.Tag.ShouldBe("x");
        syslog.HasHostname.ShouldBeFalse();
        syslog.Server.ToString().ShouldBe("127.0.0.1:99");
    }

    [Fact]
    public void Errors_go_where_the_main_block_says_unless_a_location_says_else()
    {
        NginxConfig config = Read(
            """
            server {
                listen 127.0.0.1:1;
                location /own { error_log own.log info; }
            }
            """,
            "error_log main.log crit;");
        config.Proxy.ErrorLogs.ShouldBe(
            [new ErrorLogConfig(_prefix + "main.log", ErrorLevel.Critical)]);
        ServerConfig server = config.Proxy.Listeners[0].Servers[0];
        server.Locations[0].ErrorLogs.ShouldBe(
            [new ErrorLogConfig(_prefix + "own.log", ErrorLevel.Information)]);
        config.LogFiles.ShouldContain(_prefix + "own.log");
    }

    [Fact]
    public void What_is_built_in_is_told_by_the_directives_that_are_understood()
    {
        NginxModules.ConfigureArguments.ShouldContain("--with-http_stub_status_module");
        NginxModules.ConfigureArguments.ShouldContain("--without-http_fastcgi_module");
        NginxModules.ConfigureArguments.ShouldNotContain("--without-http_proxy_module");
        NginxModules.ConfigureArguments.ShouldNotContain("--with-http_dav_module");
    }

    private static ImmutableArray<AccessLogConfig> AccessLogsOf(
        ServerConfig server, string path) =>
        server.Locations.Single(location => location.Path.Text == path).AccessLogs;

    private ServerConfig ReadServer(string http) => Read(http).Proxy.Listeners[0].Servers[0];

    private NginxConfig Read(string http, string main = "")
    {
        File.WriteAllText(_prefix + "nginx.conf", $"{main}\nevents {{ }}\nhttp {{\n{http}\n}}\n");
        return NginxReader.Read(new NginxSource(_prefix, "nginx.conf"));
    }
}
