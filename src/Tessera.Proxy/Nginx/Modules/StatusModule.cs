using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>Two answers that need no file: stub_status and empty_gif. Stateless.</summary>
internal static class StatusModule
{
    /// <summary>ngx_http_stub_status_module; a space stands before the line's end.</summary>
    private const string Page =
        "Active connections: $connections_active \n"
        + "server accepts handled requests\n"
        + " $connections_accepted $connections_handled $requests_total \n"
        + "Reading: $connections_reading Writing: $connections_writing "
        + "Waiting: $connections_waiting \n";

    /// <summary>28 September 1970: the birthday that nginx gives its pixel.</summary>
    private const long PixelSeconds = 23_349_600;

    /// <summary>
    /// One transparent pixel, as GIF89a: header, screen of 1 × 1 with two colours, the first of
    /// them transparent, and an image that is that one.
    /// </summary>
    private static readonly ImmutableArray<byte> Pixel =
    [
        .. "GIF89a"u8,
        1, 0, 1, 0, 0x80, 1, 0,
        0, 0, 0, 0xFF, 0xFF, 0xFF,
        0x21, 0xF9, 4, 1, 0, 0, 1, 0,
        0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0,
        2, 2, 0x4C, 1, 0, 0x3B,
    ];

    public static DirectiveRule[] Directives { get; } =
    [
        new("stub_status", NginxContext.Server | NginxContext.Location, 0, 1),
        new("empty_gif", NginxContext.Location, 0, 0),
    ];

    public static RouteConfig Apply(NginxScope scope, RouteConfig route, HttpReading reading)
    {
        if (scope.FindInLocation("stub_status") is not null)
        {
            return route with
            {
                Reply = new ReplyConfig(200, Page, "text/plain") { IsForReading = true },
                Files = null,
            };
        }

        return scope.FindInLocation("empty_gif") is null ? route : route with
        {
            Reply = new ReplyConfig(200, "", "image/gif")
            {
                Bytes = Pixel, IsForReading = true, ModifiedSeconds = PixelSeconds,
            },
            Files = null,
        };
    }
}
