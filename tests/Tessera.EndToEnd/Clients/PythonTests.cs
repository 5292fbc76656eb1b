using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Clients;

/// <summary>Python's clients; what each does and expects stands in its script.</summary>
public sealed class PythonTests(ClientSite site) : ClientTest(site)
{
    [Theory]
    [InlineData("with_http_client.py")]
    [InlineData("with_requests.py")]
    [InlineData("with_aiohttp.py")]
    public async Task A_client_has_all_its_wishes_met(string script)
    {
        CommandResult result = await Site.RunAsync(
            App.Python, Path.Combine(AppContext.BaseDirectory, "Clients/Scripts", script),
            Site.Url, Site.LargeFile, Site.UploadAnswer.TrimEnd());

        result.Output.ShouldBe("all well\n", result.ToString());
    }
}
