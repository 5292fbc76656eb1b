using System.Collections.Immutable;
using System.IO.Compression;
using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;

namespace Tessera.Tests.Proxy.Files;

/// <summary>
/// A folder of a test and a proxy that serves <c>site</c> within it; what lies beside is out of
/// bounds.
/// </summary>
internal sealed class FileFixture : IAsyncDisposable
{
    private readonly string _folder;
    private readonly Func<ProxyOptions, ProxyServer> _createServer;
    private ScriptedServer? _upstream;
    private ProxyFixture? _proxy;

    /// <param name="createServer">Makes a server that is not quite like the real one.</param>
    public FileFixture(Func<ProxyOptions, ProxyServer>? createServer = null)
    {
        _createServer = createServer ?? (options => new ProxyServer(options));
        _folder = Directory.CreateTempSubdirectory("tessera-files-").FullName;
        Root = Path.Combine(_folder, "site");
        Directory.CreateDirectory(Root);
    }

    public string Root { get; }

    public ProxyFixture Proxy => _proxy ??= Start();

    /// <summary>A path below the root, or beside it with "../".</summary>
    public string PathOf(string name) => Path.Combine(Root, name);

    public FileFixture With(string name, string content) =>
        With(name, Encoding.UTF8.GetBytes(content));

    public FileFixture With(string name, byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(PathOf(name))!);
        File.WriteAllBytes(PathOf(name), content);

        // Old enough for its time to tell it from the next version.
        File.SetLastWriteTimeUtc(PathOf(name), new DateTime(2024, 5, 6, 7, 8, 9, DateTimeKind.Utc));
        return this;
    }

    public FileFixture WithLink(string name, string target)
    {
        File.CreateSymbolicLink(PathOf(name), target);
        return this;
    }

    public FileFixture Serving(
        Func<FilesConfig, FilesConfig>? files = null,
        Func<RouteConfig, RouteConfig>? route = null)
    {
        _proxy = Start(files, route);
        return this;
    }

    /// <summary>GET on a connection of its own; further fields are whole lines.</summary>
    public Task<Answer> GetAsync(string target, params string[] fields) =>
        AskAsync("GET", target, fields);

    public async Task<Answer> AskAsync(string method, string target, params string[] fields)
    {
        string lines = string.Concat(fields.Select(f => f + "\r\n"));
        return Answer.Parse(await Proxy.ExchangeAsync(
            $"{method} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{lines}\r\n"));
    }

    public async ValueTask DisposeAsync()
    {
        if (_proxy is not null)
        {
            await _proxy.DisposeAsync();
        }

        _upstream?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private ProxyFixture Start(
        Func<FilesConfig, FilesConfig>? files = null,
        Func<RouteConfig, RouteConfig>? route = null)
    {
        _upstream ??= ScriptedServer.Named("upstream");
        var config = new FilesConfig { Root = Root };
        var served = new RouteConfig { Backend = "web", Files = files?.Invoke(config) ?? config };
        return ProxyFixture.Start(
            [_upstream.Address],
            listener: l => l with { Routes = [route?.Invoke(served) ?? served] },
            server: _createServer(new ProxyOptions { Reactors = 1 }));
    }
}

/// <summary>One response, taken apart; each byte of the body is one character.</summary>
internal sealed record Answer(int Status, ImmutableArray<(string Name, string Value)> Fields,
    string Body)
{
    public string? this[string name] => Fields
        .Where(f => f.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        .Select(f => f.Value)
        .FirstOrDefault();

    public static Answer Parse(string text)
    {
        int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        end.ShouldBeGreaterThan(0, $"no whole head: \"{text}\"");
        string[] lines = text[..end].Split("\r\n");
        string body = text[(end + 4)..];
        var answer = new Answer(
            int.Parse(lines[0].Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture),
            [
                .. lines.Skip(1).Select(l => l.Split(": ", 2)).Select(p => (p[0], p[1])),
            ],
            body);
        return answer["Transfer-Encoding"] == "chunked"
            ? answer with { Body = Unchunk(body) }
            : answer;
    }

    /// <summary>The body as it was before the coding that the head names.</summary>
    public string Decoded()
    {
        using var body = new MemoryStream(Encoding.Latin1.GetBytes(Body));
        using Stream decoder = this["Content-Encoding"] switch
        {
            "gzip" => new GZipStream(body, CompressionMode.Decompress),
            "br" => new BrotliStream(body, CompressionMode.Decompress),
            _ => body,
        };
        using var decoded = new MemoryStream();
        decoder.CopyTo(decoded);
        return Encoding.Latin1.GetString(decoded.ToArray());
    }

    private static string Unchunk(string body)
    {
        var data = new StringBuilder();
        while (true)
        {
            int line = body.IndexOf("\r\n", StringComparison.Ordinal);
            line.ShouldBeGreaterThan(0, "a chunk lacks its size");
            int size = Convert.ToInt32(body[..line], 16);
            data.Append(body, line + 2, size);
            body[(line + 2 + size)..].ShouldStartWith("\r\n");
            body = body[(line + 4 + size)..];
            if (size == 0)
            {
                body.ShouldBeEmpty();
                return data.ToString();
            }
        }
    }
}
