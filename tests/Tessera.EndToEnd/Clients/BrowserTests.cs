using Microsoft.Playwright;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Clients;

/// <summary>Debian's Chromium, without a window, driven by Playwright.</summary>
public sealed class BrowserTests(ClientSite site) : ClientTest(site)
{
    private readonly List<string> _failures = [];
    private readonly List<IResponse> _responses = [];
    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;
    private IPage _page = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = "/usr/bin/chromium",
            // Root may not use the sandbox, and tests in a container are often root.
            Args = ["--no-sandbox"],
        });
        _page = await _browser.NewPageAsync();
        _page.SetDefaultTimeout(20_000);
        _page.RequestFailed += (_, request) =>
            _failures.Add($"{request.Method} {request.Url}: {request.Failure}");
        _page.PageError += (_, error) => _failures.Add(error);
        _page.Response += (_, response) =>
        {
            _responses.Add(response);
            if (response.Status >= 400)
            {
                _failures.Add($"{response.Status} {response.Url}");
            }
        };
    }

    public override async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
        _failures.ShouldBeEmpty();
        await base.DisposeAsync();
    }

    [Fact]
    public async Task A_page_has_its_style_its_script_and_its_image()
    {
        await OpenAsync("/");

        (await _page.TitleAsync()).ShouldBe("scripted");
        (await _page.EvaluateAsync<string>("getComputedStyle(document.querySelector('h1')).color"))
            .ShouldBe("rgb(1, 2, 3)");
        (await _page.EvaluateAsync<int>("document.getElementById('dot').naturalWidth"))
            .ShouldBe(1);
        (await _page.EvaluateAsync<int>("number2999")).ShouldBe(2_999);
        IResponse script = _responses.Single(r => r.Url.EndsWith("script.js"));
        (await script.HeaderValueAsync("content-encoding")).ShouldBeOneOf("gzip", "br");
    }

    [Fact]
    public async Task A_script_fetches_uploads_and_talks()
    {
        await OpenAsync("/");

        (await _page.EvaluateAsync<string>(
            "async () => (await (await fetch('/app/hello?q=browser')).json()).query"))
            .ShouldBe("browser");
        (await _page.EvaluateAsync<int>("""
            async () => (await Promise.all([...Array(60).keys()].map(async i =>
                (await (await fetch('/app/hello?q=' + i)).json()).query == i)))
                    .filter(x => x).length
            """)).ShouldBe(60);
        (await _page.EvaluateAsync<int>("""
            async () => {
                const reader = (await fetch('/app/large?bytes=2000000&chunked=1')).body.getReader();
                let total = 0;
                for (let part; !(part = await reader.read()).done; ) total += part.value.length;
                return total;
            }
            """)).ShouldBe(2_000_000);
        (await _page.EvaluateAsync<string>("""
            async () => {
                const body = await (await fetch('/large.bin')).blob();
                return await (await fetch('/app/upload', { method: 'POST', body })).text();
            }
            """)).ShouldBe(Site.UploadAnswer);
        (await _page.EvaluateAsync<string>("""
            () => new Promise((resolve, reject) => {
                const socket = new WebSocket(location.origin.replace('http', 'ws') + '/app/echo');
                const texts = ['one', 'Zoë', 'x'.repeat(200000), 'end'];
                let count = 0;
                socket.onopen = () => texts.forEach(text => socket.send(text));
                socket.onerror = () => reject('the socket failed');
                socket.onmessage = event => {
                    if (event.data !== texts[count++]) reject('message ' + count);
                    if (count === texts.length) socket.close(1000);
                };
                socket.onclose = event => resolve(count + ' messages, code ' + event.code);
            })
            """)).ShouldBe("4 messages, code 1000");
    }

    [Fact]
    public async Task Coming_back_asks_whether_anything_is_new()
    {
        await OpenAsync("/second.html");
        await OpenAsync("/");
        await OpenAsync("/second.html");
        await _page.GoBackAsync();
        (await _page.TitleAsync()).ShouldBe("scripted");
        await _page.GoForwardAsync();
        (await _page.InnerTextAsync("h1")).ShouldBe("Second");
        await OpenAsync("/");
        await _page.ReloadAsync();

        (await _page.TitleAsync()).ShouldBe("scripted");
        foreach (string file in (string[])["/", "/script.js", "/style.css", "/dot.png"])
        {
            await Site.Project.UntilLoggedAsync($"\"GET {file} HTTP/1.1\" 304 ");
        }

        await File.WriteAllTextAsync(
            Path.Combine(Site.Public, "style.css"), "h1 { color: rgb(4, 5, 6) }\n");
        await Eventually.HoldsAsync("the new style is shown", async () =>
        {
            await _page.ReloadAsync();
            return await _page.EvaluateAsync<string>(
                "getComputedStyle(document.querySelector('h1')).color") == "rgb(4, 5, 6)";
        });
        await File.WriteAllTextAsync(
            Path.Combine(Site.Public, "style.css"), "h1 { color: rgb(1, 2, 3) }\n");
    }

    private Task<IResponse?> OpenAsync(string path) => _page.GotoAsync(
        Site.Url + path, new PageGotoOptions { WaitUntil = WaitUntilState.NetworkIdle });
}
