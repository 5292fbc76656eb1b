using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

/// <summary>Limits of heads, however large the numbers are.</summary>
public sealed class ClientReadingTests
{
    private const int MaxHeadBytes = 192 * 1_024;

    [Theory]
    [InlineData("", 33 * 1_024, 8 * 1_024, 1_000)]
    [InlineData("max_headers 7;", 33 * 1_024, 8 * 1_024, 7)]
    [InlineData("large_client_header_buffers 4 1k;", 5 * 1_024, 1_024, 1_000)]
    [InlineData(
        "large_client_header_buffers 2000000000 8000000000g;", MaxHeadBytes, MaxHeadBytes, 1_000)]
    [InlineData("client_header_buffer_size 8000000000g;", MaxHeadBytes, MaxHeadBytes, 1_000)]
    public void Heads_have_limits(string lines, int headBytes, int lineBytes, int fields)
    {
        ClientConfig client = NginxText.ReadServer($"listen 80; {lines}").Fallback.Client!;
        client.MaxHeadBytes.ShouldBe(headBytes);
        client.MaxLineBytes.ShouldBe(lineBytes);
        client.MaxFields.ShouldBe(fields);
    }

    [Fact]
    public void A_negative_number_of_buffers_is_refused() =>
        NginxText.ErrorOf("server { large_client_header_buffers -4 8k; }")
            .ShouldContain("\"large_client_header_buffers\" directive invalid value");

    [Fact]
    public void A_huge_buffer_for_answers_is_no_negative_one() =>
        NginxText.ReadServer(
                """
                location / {
                    proxy_pass http://127.0.0.1:1;
                    proxy_buffer_size 4g;
                    proxy_buffers 8 4g;
                }
                """)
            .Locations[0].Pass!.MaxHeadBytes.ShouldBe(int.MaxValue);
}
