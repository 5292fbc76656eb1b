using Shouldly;
using Xunit;

namespace Tessera.Tests.Proxy.Files;

/// <summary>The file is of 06 May 2024 07:08:09, its tag is "663881d9-a".</summary>
public sealed class FileConditionTests
{
    private const string Tag = "\"663881d9-a\"";
    private const string Time = "Mon, 06 May 2024 07:08:09 GMT";
    private const string Before = "Mon, 06 May 2024 07:08:08 GMT";
    private const string After = "Mon, 06 May 2024 07:08:10 GMT";

    public static TheoryData<int, string[]> Conditions => new()
    {
        { 304, [$"If-None-Match: {Tag}"] },
        { 304, [$"If-None-Match: W/{Tag}"] },
        { 304, ["If-None-Match: *"] },
        { 304, [$"If-None-Match: \"a\", {Tag}"] },
        { 304, [$"If-None-Match: \"a,b\" ,, W/\"c\",{Tag}"] },
        { 304, ["If-None-Match: \"a\"", $"If-None-Match: {Tag}"] },
        { 200, ["If-None-Match: \"other\""] },
        { 200, ["If-None-Match: 663881d9-a"] },
        { 200, ["If-None-Match:"] },
        { 200, [$"If-None-Match: \"unclosed, {Tag[1..^1]}"] },

        { 304, [$"If-Modified-Since: {Time}"] },
        { 304, [$"If-Modified-Since: {After}"] },
        { 304, ["If-Modified-Since: Monday, 06-May-24 07:08:09 GMT"] },
        { 304, ["If-Modified-Since: Mon May  6 07:08:09 2024"] },
        { 200, [$"If-Modified-Since: {Before}"] },
        { 200, ["If-Modified-Since: yesterday"] },

        // A tag outweighs a time.
        { 200, ["If-None-Match: \"other\"", $"If-Modified-Since: {Time}"] },
        { 304, [$"If-None-Match: {Tag}", $"If-Modified-Since: {Before}"] },

        { 200, [$"If-Match: {Tag}"] },
        { 200, ["If-Match: *"] },
        { 200, [$"If-Match: \"a\", {Tag}"] },
        { 412, ["If-Match: \"other\""] },
        { 412, [$"If-Match: W/{Tag}"] },
        { 200, [$"If-Unmodified-Since: {Time}"] },
        { 412, [$"If-Unmodified-Since: {Before}"] },
        { 200, ["If-Unmodified-Since: rubbish"] },
        { 200, [$"If-Match: {Tag}", $"If-Unmodified-Since: {Before}"] },
        { 304, [$"If-Match: {Tag}", $"If-None-Match: {Tag}"] },
        { 412, ["If-Match: \"other\"", $"If-None-Match: {Tag}"] },

        { 206, ["Range: bytes=0-1", $"If-Range: {Tag}"] },
        { 206, ["Range: bytes=0-1", $"If-Range: {Time}"] },
        { 200, ["Range: bytes=0-1", $"If-Range: W/{Tag}"] },
        { 200, ["Range: bytes=0-1", "If-Range: \"other\""] },
        { 200, ["Range: bytes=0-1", $"If-Range: {After}"] },
        { 200, ["Range: bytes=0-1", $"If-Range: {Before}"] },
        { 200, ["Range: bytes=99-", "If-Range: \"other\""] },
        { 304, ["Range: bytes=0-1", $"If-None-Match: {Tag}"] },
        { 412, ["Range: bytes=99-", "If-Match: \"other\""] },
        { 416, ["Range: bytes=10-"] },
        { 200, ["Range: bytes=0-1", "Range: bytes=2-3"] },
    };

    [Theory]
    [MemberData(nameof(Conditions))]
    public async Task Conditions_come_to(int status, string[] fields)
    {
        await using FileFixture site = new FileFixture().With("f.txt", "0123456789");
        Answer answer = await site.GetAsync("/f.txt", fields);
        answer.Status.ShouldBe(status);
        if (status == 304)
        {
            answer.Body.ShouldBeEmpty();
            answer["Content-Length"].ShouldBeNull();
            answer["Content-Type"].ShouldBeNull();
            answer["ETag"].ShouldBe(Tag);
        }
    }

    [Fact]
    public async Task A_304_carries_what_a_cache_lives_on_and_keeps_the_connection()
    {
        await using FileFixture site = new FileFixture().With("f.txt", "0123456789");
        site.Serving(f => f with { CacheControl = "max-age=60" });
        using Forwarding.ScriptedConnection client = await site.Proxy.ConnectAsync();
        for (int i = 0; i < 2; i++)
        {
            await client.SendAsync(
                $"GET /f.txt HTTP/1.1\r\nHost: t\r\nIf-None-Match: {Tag}\r\n\r\n");
            string head = await client.ReadHeadAsync();
            head.ShouldStartWith("HTTP/1.1 304 ");
            head.ShouldContain("\r\nCache-Control: max-age=60\r\n");
        }
    }
}
