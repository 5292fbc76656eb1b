using System.Text;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Features;

/// <summary>Who may use a service at all.</summary>
public sealed class AccessFeatureTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task Addresses_are_allowed_and_denied_as_the_file_says()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Guarded(
            port, "{ allow: [127.0.1.0/24, 127.0.0.1], deny: [127.0.1.13] }", "addresses");
        await project.UpAsync();

        (await AskAsync(port, "127.0.0.1")).ShouldBe(200);
        (await AskAsync(port, "127.0.1.12")).ShouldBe(200);
        (await AskAsync(port, "127.0.1.13")).ShouldBe(403);
        (await AskAsync(port, "127.0.2.1")).ShouldBe(403);
    }

    [Fact]
    public async Task Only_those_who_know_a_password_are_let_in()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Guarded(port, """

                    basic_auth:
                      realm: the shop
                      users: { ann: secret, bob: "{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI=" }
            """, "passwords");
        await project.UpAsync();

        HttpAnswer refused = await RawHttp.GetAsync(port);
        refused.Status.ShouldBe(401);
        refused.Header("WWW-Authenticate").ShouldNotBeNull().ShouldContain("realm=\"the shop\"");
        (await AskAsync(port, login: "ann:secret")).ShouldBe(200);
        (await AskAsync(port, login: "ann:Secret")).ShouldBe(401);
        (await AskAsync(port, login: "bob:open")).ShouldBe(200);
        (await AskAsync(port, login: "eve:secret")).ShouldBe(401);
        MoodyApp app = (await MoodyApp.AllOfAsync(project))[0];
        (await app.LogAsync()).Length.ShouldBe(2);
        await project.UntilLoggedAsync("127.0.0.1 - ann [");
    }

    [Theory]
    [InlineData("-m")]
    [InlineData("-B")]
    [InlineData("-s")]
    [InlineData("-5")]
    public async Task A_file_that_htpasswd_wrote_is_read(string algorithm)
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Guarded(
            port, "{ basic_auth: { file: ./users } }", "htpasswd");
        await using RunningCommand htpasswd = host.StartOther(
            "htpasswd",
            ["-c", "-b", algorithm, Path.Combine(project.Folder, "users"), "ann", "s€"]);
        (await htpasswd.WaitAsync()).ShouldSucceed();
        await project.UpAsync();

        (await AskAsync(port, login: "ann:s€")).ShouldBe(200);
        (await AskAsync(port, login: "ann:s")).ShouldBe(401);
        (await AskAsync(port)).ShouldBe(401);
    }

    [Fact]
    public async Task The_right_address_or_the_right_password_may_be_enough()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Guarded(
            port, "{ allow: 127.0.0.7, basic_auth: { users: { ann: secret } }, satisfy: any }",
            "either");
        await project.UpAsync();

        (await AskAsync(port, "127.0.0.7")).ShouldBe(200);
        (await AskAsync(port, "127.0.0.8")).ShouldBe(401);
        (await AskAsync(port, "127.0.0.8", "ann:secret")).ShouldBe(200);
    }

    private ComposeProject Guarded(int port, string access, string name) => host.Project($$"""
        services:
          web:
            command: {{App.Moody}}
            ports: ["{{port}}:80"]
            x-tessera:
              access: {{access}}
        """, name);

    private static async Task<int> AskAsync(
        int port, string from = "127.0.0.1", string? login = null)
    {
        string field = login is null
            ? ""
            : "Authorization: Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(login));
        return (await RawHttp.AskAsync(port, "GET /", field, from: from)).Status;
    }
}
