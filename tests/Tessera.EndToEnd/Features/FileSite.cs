using System.IO.Compression;
using System.Text;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Features;

/// <summary>
/// A folder of files in front of an application, as a small shop would have it, for all tests of a
/// class; what a test adds has a name of its own.
/// </summary>
public sealed class FileSite : IAsyncLifetime
{
    public const string Secret = "nobody outside is to read this";

    public TesseraHost Host { get; } = new();

    public int Port { get; } = FreePorts.Next();

    public ComposeProject Project { get; private set; } = null!;

    public string Public => Path.Combine(Project.Folder, "public");

    /// <summary>A megabyte and a bit, no two places alike.</summary>
    public byte[] Large { get; } = Pattern(1_100_000);

    public string Script { get; } = string.Join('\n',
        Enumerable.Range(0, 2_000).Select(i => $"function number{i}() {{ return {i}; }}"));

    public async ValueTask InitializeAsync()
    {
        Project = Host.Project($$"""
            services:
              shop:
                command: {{App.Moody}}
                ports: ["{{Port}}:80"]
                x-tessera:
                  compression: true
                  routes:
                    site:
                      files:
                        root: ./public
                        try_files: ["$$uri", "$$uri/", "@backend"]
                        precompressed: true
                        cache_control: max-age=60
                    spa:
                      path: /spa
                      files: { root: ./public, try_files: ["$$uri", /spa/index.html] }
                    files-only: { path: /pub, files: { root: ./public, strip_prefix: /pub } }
                    list: { path: /list, files: { root: ./public, list: true } }
                    strict:
                      path: /strict
                      files: { root: ./public, try_files: ["$$uri", "=404"] }
            """, "shop");
        Write("index.html", "<h1>Welcome</h1>\n");
        Write("about/index.html", "<h1>About</h1>\n");
        Write("spa/index.html", "<div id=app></div>\n");
        Write("list/b.txt", "b\n");
        Write("list/a.txt", "a\n");
        Write("script.js", Script);
        Write("style.css", "body { color: red }\n");
        Write("large.bin", Large);
        Write("packed.css", "p { color: blue }\n" + new string(' ', 500));
        Write("packed.css.gz", Packed("gzip'd before", stream => new GZipStream(
            stream, CompressionLevel.Fastest, leaveOpen: true)));
        Write("packed.css.br", Packed("brotli'd before", stream => new BrotliStream(
            stream, CompressionLevel.Fastest, leaveOpen: true)));
        await File.WriteAllTextAsync(Path.Combine(Project.Folder, "secret.txt"), Secret);
        File.CreateSymbolicLink(Path.Combine(Public, "out.txt"), "../secret.txt");
        File.CreateSymbolicLink(
            Path.Combine(Public, "absolute.txt"), Path.Combine(Project.Folder, "secret.txt"));
        Directory.CreateSymbolicLink(Path.Combine(Public, "up"), "..");
        File.CreateSymbolicLink(Path.Combine(Public, "inside.css"), "style.css");
        await Project.UpAsync();
    }

    public void Write(string path, string text) => Write(path, Encoding.UTF8.GetBytes(text));

    public void Write(string path, byte[] bytes)
    {
        string full = Path.Combine(Public, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllBytes(full, bytes);
    }

    public Task<HttpAnswer> AskAsync(string methodAndPath, string fields = "") =>
        RawHttp.AskAsync(Port, methodAndPath, fields);

    public Task<HttpAnswer> GetAsync(string path, string fields = "") =>
        AskAsync("GET " + path, fields);

    public static byte[] Pattern(int length)
    {
        byte[] bytes = new byte[length];
        new Random(1).NextBytes(bytes);
        return bytes;
    }

    public async ValueTask DisposeAsync()
    {
        await Project.DisposeAsync();
        await Host.DisposeAsync();
    }

    private static byte[] Packed(string text, Func<Stream, Stream> compress)
    {
        using var target = new MemoryStream();
        using (Stream stream = compress(target))
        {
            stream.Write(Encoding.UTF8.GetBytes(text));
        }

        return target.ToArray();
    }
}
