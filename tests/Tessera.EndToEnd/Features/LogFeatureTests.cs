using System.Text.Json;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Features;

/// <summary>What an operator reads about requests.</summary>
public sealed class LogFeatureTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task A_format_with_variables_goes_to_a_file_of_the_service()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Logged(
            port, "'$$remote_addr|$$request_method|$$uri|$$args|$$status|$$http_x_tag|$$cookie_id|"
            + "$$upstream_status|$$sent_http_x_powered_by|$$body_bytes_sent|$$request_time"
            + "|$${host}!'",
            "formatted");
        await project.UpAsync();
        await RawHttp.AskAsync(
            port, "GET /a%20b?x=1", "Host: shop.example\r\nX-Tag: say \"hi\"\r\nCookie: id=7");

        string line = (await project.UntilLoggedAsync("/a b", 1, "access-web.log"))[0];

        line.ShouldMatch(@"^127\.0\.0\.1\|GET\|/a b\|x=1\|200\|say \\x22hi\\x22\|7\|200\|moody\|"
            + @"\d+\|\d+\.\d{3}\|shop\.example!$");
    }

    [Fact]
    public async Task Json_lines_are_json()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Logged(port, "json", "jsonlog");
        await project.UpAsync();
        await RawHttp.AskAsync(port, "GET /quote\"d?x=\\", "User-Agent: \"quoted\" \\ agent");

        string line = (await project.UntilLoggedAsync("/quote", 1, "access-web.log"))[0];

        using JsonDocument document = JsonDocument.Parse(line);
        document.RootElement.GetRawText().ShouldContain("200");
        document.RootElement.EnumerateObject().Select(field => field.Value.ToString())
            .ShouldContain("\"quoted\" \\ agent");
    }

    [Fact]
    public async Task No_line_is_written_where_none_is_wanted()
    {
        int port = FreePorts.Next();
        int other = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              quiet:
                command: {{App.Moody}}
                ports: ["{{port}}:80"]
                x-tessera: { access_log: false }
              loud:
                command: {{App.Moody}}
                ports: ["{{other}}:80"]
            """, "quiet");
        await project.UpAsync();

        // Each reactor has a buffer of its own: enough requests for all of them, one after the
        // other, so that a line of the first would be written before the last of the second.
        foreach ((int each, string path) in ((int, string)[])[(port, "/silent"), (other, "/loud")])
        {
            for (int i = 0; i < 20; i++)
            {
                await RawHttp.GetAsync(each, path);
            }
        }

        await project.UntilLoggedAsync("/loud", 20);
        string folder = Path.Combine(host.Home, "projects", project.Name);
        foreach (string file in Directory.GetFiles(folder, "access*.log"))
        {
            File.ReadAllText(file).ShouldNotContain("/silent");
        }
    }

    [Fact]
    public async Task Metrics_count_what_happened()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Moody}}
                scale: 2
                ports: ["{{port}}:80"]
                x-tessera: { limits: { body: 10 }, retry: { on: [error, http_503] } }
            """, "counted");
        await project.UpAsync();
        await (await MoodyApp.AllOfAsync(project))[0].SetAsync("status=503");
        for (int i = 0; i < 8; i++)
        {
            (await RawHttp.GetAsync(port)).Status.ShouldBe(200);
        }

        (await RawHttp.AskAsync(port, "POST /", body: "too long for this")).Status.ShouldBe(413);

        await Metrics.UntilAsync(host, "all is counted", metrics =>
            metrics["tessera_requests_total", "counted/web:80", "code=\"2xx\""] == 8
            && metrics["tessera_requests_total", "counted/web:80", "code=\"4xx\""] == 1
            && metrics["tessera_retries_total", "counted/web:80"] == 4
            && metrics["tessera_endpoint_requests_total", "counted/web:80"] == 12
            && metrics["tessera_request_duration_seconds_count", "counted/web:80"] == 9
            && metrics["tessera_endpoint_state", "counted/web:80", "state=\"active\""] == 2
            && metrics["tessera_build"] == 1);
    }

    private ComposeProject Logged(int port, string format, string name) => host.Project($$"""
        services:
          web:
            command: {{App.Moody}}
            ports: ["{{port}}:80"]
            x-tessera: { access_log: {{format}} }
        """, name);
}
