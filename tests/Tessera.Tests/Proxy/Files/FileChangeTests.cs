using System.Diagnostics;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Files;

/// <summary>Files that change between requests, and while they are sent.</summary>
public sealed class FileChangeTests
{
    /// <summary>More than the sockets between the two take by themselves.</summary>
    private const int LargeBytes = 64 * 1_024 * 1_024;

    [Theory]
    [InlineData("a", "b")]
    [InlineData("", "something")]
    [InlineData("something", "")]
    public async Task A_new_content_is_served_soon(string first, string second)
    {
        await using FileFixture site = new FileFixture().With("f", first);
        (await site.GetAsync("/f")).Body.ShouldBe(first);
        await File.WriteAllTextAsync(
            site.PathOf("f"), second, TestContext.Current.CancellationToken);
        await ComesAsync(site, "/f", second);
    }

    [Fact]
    public async Task A_content_of_the_same_length_and_time_is_served_soon()
    {
        await using FileFixture site = new FileFixture().With("f", "one");
        (await site.GetAsync("/f")).Body.ShouldBe("one");
        site.With("f", "two");
        await ComesAsync(site, "/f", "two");
    }

    [Fact]
    public async Task A_file_that_goes_and_comes_is_found_and_not_found()
    {
        await using FileFixture site = new FileFixture().With("f", "one");
        (await site.GetAsync("/f")).Status.ShouldBe(200);
        File.Delete(site.PathOf("f"));
        await ComesAsync(site, "/f", a => a.Status == 404);
        site.With("f", "two");
        (await site.GetAsync("/f")).Body.ShouldBe("two");
    }

    [Fact]
    public async Task A_root_that_is_a_link_may_be_swapped()
    {
        await using FileFixture site = new FileFixture()
            .With("v1/f", "one").With("v2/f", "two").WithLink("now", "v1");
        site.Serving(f => f with { Root = site.PathOf("now") });
        (await site.GetAsync("/f")).Body.ShouldBe("one");
        File.Delete(site.PathOf("now"));
        site.WithLink("now", "v2");
        await ComesAsync(site, "/f", "two");
    }

    [Fact]
    public async Task A_large_file_is_never_stale()
    {
        await using FileFixture site = new FileFixture().With("f", new string('a', 100_000));
        (await site.GetAsync("/f")).Body.Length.ShouldBe(100_000);
        site.With("f", new string('b', 120_000));
        ((await site.GetAsync("/f")).Body == new string('b', 120_000)).ShouldBeTrue();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_file_that_is_cut_or_overwritten_while_it_is_sent_ends_in_a_reset(
        bool isOverwritten)
    {
        await using FileFixture site = new();
        await using (FileStream file = File.Create(site.PathOf("f")))
        {
            file.SetLength(LargeBytes);
        }

        using ScriptedConnection client = await site.Proxy.ConnectAsync();
        await client.SendAsync("GET /f HTTP/1.1\r\nHost: t\r\n\r\n");
        (await client.ReadHeadAsync()).ShouldContain($"Content-Length: {LargeBytes}\r\n");
        using (FileStream file = File.OpenWrite(site.PathOf("f")))
        {
            file.SetLength(isOverwritten ? 0 : LargeBytes / 2);
            file.SetLength(isOverwritten ? LargeBytes : LargeBytes / 2);
        }

        (await CountAsync(client)).ShouldBeLessThan(LargeBytes);
    }

    [Fact]
    public async Task A_file_that_is_replaced_while_it_is_sent_arrives_as_it_was()
    {
        await using FileFixture site = new();
        await using (FileStream file = File.Create(site.PathOf("f")))
        {
            file.SetLength(LargeBytes);
        }

        using ScriptedConnection client = await site.Proxy.ConnectAsync();
        await client.SendAsync("GET /f HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
        await client.ReadHeadAsync();
        site.With("next", "other");
        File.Move(site.PathOf("next"), site.PathOf("f"), overwrite: true);
        (await CountAsync(client)).ShouldBe(LargeBytes);
        (await site.GetAsync("/f")).Body.ShouldBe("other");
    }

    [Fact]
    public async Task A_client_that_goes_away_leaves_no_file_open()
    {
        await using FileFixture site = new();
        await using (FileStream file = File.Create(site.PathOf("f")))
        {
            file.SetLength(LargeBytes);
        }

        for (int i = 0; i < 5; i++)
        {
            using ScriptedConnection client = await site.Proxy.ConnectAsync();
            await client.SendAsync("GET /f HTTP/1.1\r\nHost: t\r\n\r\n");
            await client.ReadHeadAsync();
            client.Reset();
        }

        await Eventually.BecomesTrueAsync(() => site.Proxy.Server.ConnectionCount == 0);
        OpenCount(site).ShouldBeLessThanOrEqualTo(1);
        await site.Proxy.DisposeAsync();
        OpenCount(site).ShouldBe(0);
    }

    [Theory]
    [InlineData(10_000)]
    [InlineData(100_000)]
    public async Task A_file_leaves_no_quicker_than_its_route_allows(int length)
    {
        byte[] content = FileServingTests.RandomBytes(length);
        await using FileFixture site = new FileFixture().With("f", content);
        site.Serving(route: r => r with
        {
            Flow = new FlowConfig { BytesPerSecond = length * 2 },
        });
        var clock = Stopwatch.StartNew();
        Answer answer = await site.GetAsync("/f");
        clock.ElapsedMilliseconds.ShouldBeInRange(300, 5_000);
        (answer.Body == System.Text.Encoding.Latin1.GetString(content)).ShouldBeTrue();
    }

    [Fact]
    public async Task Only_so_many_files_stay_open()
    {
        await using FileFixture site = new();
        for (int i = 0; i < 300; i++)
        {
            site.With($"f{i}", new byte[70_000]);
        }

        using ScriptedConnection client = await site.Proxy.ConnectAsync();
        for (int i = 0; i < 300; i++)
        {
            await client.SendAsync($"HEAD /f{i} HTTP/1.1\r\nHost: t\r\n\r\n");
            (await client.ReadHeadAsync()).ShouldStartWith("HTTP/1.1 200 ");
        }

        OpenCount(site).ShouldBeInRange(1, 256);
    }

    private static Task ComesAsync(FileFixture site, string target, string body) =>
        ComesAsync(site, target, answer => answer.Body == body);

    private static async Task ComesAsync(
        FileFixture site, string target, Predicate<Answer> isNew)
    {
        var clock = Stopwatch.StartNew();
        while (!isNew(await site.GetAsync(target)))
        {
            clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(10));
            await Task.Delay(20);
        }
    }

    /// <summary>Bytes until the end or the reset.</summary>
    private static async Task<long> CountAsync(ScriptedConnection client)
    {
        byte[] buffer = new byte[256 * 1_024];
        long total = 0;
        try
        {
            while (await client.ReadSomeAsync(buffer) is > 0 and var received)
            {
                total += received;
            }
        }
        catch (System.Net.Sockets.SocketException)
        {
            return total;
        }

        return total;
    }

    private static int OpenCount(FileFixture site)
    {
        int count = 0;
        foreach (string link in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
        {
            try
            {
                string? target = File.ResolveLinkTarget(link, returnFinalTarget: false)?.FullName;
                count += target?.StartsWith(site.Root, StringComparison.Ordinal) == true ? 1 : 0;
            }
            catch (IOException)
            {
                // Another test's, closed meanwhile.
            }
        }

        return count;
    }
}
