using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Files;

/// <summary>A route's <see cref="DocumentsConfig"/>, made ready once. Immutable.</summary>
internal sealed class DocumentSite
{
    private readonly Template _root;
    private readonly byte[]? _alias;

    /// <exception cref="FormatException">A text has a variable that there is not.</exception>
    public DocumentSite(DocumentsConfig config)
    {
        Config = config;
        _root = Template.Parse(config.Alias is null ? config.Root.TrimEnd('/') : config.Root);
        _alias = config.Alias is null ? null : Encoding.UTF8.GetBytes(config.Alias);
        Index =
        [
            .. config.Index.Select(text => new IndexFile(
                Template.Parse(text), text.StartsWith('/'))),
        ];
    }

    public DocumentsConfig Config { get; }

    public IndexFile[] Index { get; }

    /// <summary>
    /// The name of the file that a path stands for: behind the root, or in the place of the
    /// location's own text (ngx_http_map_uri_to_path).
    /// </summary>
    public void WriteName(ref ByteWriter name, Exchange exchange, ReadOnlySpan<byte> path)
    {
        _root.Write(ref name, exchange);
        if (_alias is null)
        {
            name.Write(path);
        }
        else if (_alias.Length > 0)
        {
            name.Write(path[Math.Min(_alias.Length, path.Length)..]);
        }
    }
}

/// <summary>What stands for a folder.</summary>
/// <param name="IsPath">A path of the server, not of the folder.</param>
internal sealed record IndexFile(Template Name, bool IsPath);
