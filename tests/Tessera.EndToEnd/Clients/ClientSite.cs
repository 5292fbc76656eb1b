using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Clients;

/// <summary>
/// The same small site for every client: files with a page, a script and an image, and behind them
/// two instances of an application with JSON, large and chunked answers, uploads and a WebSocket.
/// </summary>
public sealed class ClientSite : IAsyncLifetime
{
    public const int LargeLength = 3_000_000;

    public TesseraHost Host { get; } = new();

    public int Port { get; } = FreePorts.Next();

    public string Url => $"http://127.0.0.1:{Port}";

    public ComposeProject Project { get; private set; } = null!;

    public string Public => Path.Combine(Project.Folder, "public");

    /// <summary>A file of <see cref="LargeLength"/> bytes that clients send and compare.</summary>
    public string LargeFile => Path.Combine(Public, "large.bin");

    public string Script { get; } = "document.title = 'scripted';\n"
        + string.Join('\n', Enumerable.Range(0, 3_000).Select(i => $"var number{i} = {i};"));

    /// <summary>What the application answers to an upload of <see cref="LargeFile"/>.</summary>
    public string UploadAnswer { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        Project = Host.Project($$"""
            services:
              app:
                command: {{App.Site}}
                scale: 2
                ports: ["{{Port}}:80"]
                x-tessera:
                  compression: true
                  files:
                    root: ./public
                    try_files: ["$$uri", "$$uri/", "@backend"]
                    cache_control: no-cache
            """, "site");
        Directory.CreateDirectory(Public);
        byte[] large = new byte[LargeLength];
        new Random(7).NextBytes(large);
        await File.WriteAllBytesAsync(LargeFile, large);
        UploadAnswer = $"bytes {LargeLength} crc {Crc32(large):x8}\n";
        await File.WriteAllTextAsync(Path.Combine(Public, "script.js"), Script);
        await File.WriteAllTextAsync(
            Path.Combine(Public, "style.css"), "h1 { color: rgb(1, 2, 3) }\n");
        await File.WriteAllTextAsync(
            Path.Combine(Public, "second.html"),
            "<link rel=icon href=/dot.png>\n<h1>Second</h1>\n");
        await File.WriteAllBytesAsync(Path.Combine(Public, "dot.png"), Convert.FromBase64String(
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
            + "AABJRU5ErkJggg=="));
        await File.WriteAllTextAsync(Path.Combine(Public, "index.html"), """
            <!doctype html>
            <html>
            <head>
            <title>plain</title>
            <link rel="icon" href="/dot.png">
            <link rel="stylesheet" href="/style.css">
            </head>
            <body>
            <h1>Site</h1><img id="dot" src="/dot.png"><script src="/script.js"></script>
            </body>
            </html>
            """);
        await Project.UpAsync();
    }

    /// <summary>Runs a client to its end, which has to be a good one.</summary>
    public async Task<CommandResult> RunAsync(string program, params string[] arguments)
    {
        await using RunningCommand command = Host.StartOther(program, arguments);
        return (await command.WaitAsync(TimeSpan.FromSeconds(40))).ShouldSucceed();
    }

    public async ValueTask DisposeAsync()
    {
        await Project.DisposeAsync();
        await Host.DisposeAsync();
    }

    /// <summary>That of zlib and of every archive, as the application computes it.</summary>
    private static uint Crc32(byte[] bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte next in bytes)
        {
            crc ^= next;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ (0xEDB88320 & (uint)-(int)(crc & 1));
            }
        }

        return ~crc;
    }
}
