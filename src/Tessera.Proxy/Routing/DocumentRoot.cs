using System.Text;
using Tessera.Proxy.Files;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>Where the files of a location are: nginx's root and alias. Immutable.</summary>
internal sealed class DocumentRoot(DocumentRootConfig config)
{
    private readonly Template _path = Template.Parse(config.Path);
    private readonly byte[]? _alias =
        config.Alias is { } alias ? Encoding.UTF8.GetBytes(alias) : null;

    private readonly Template? _trusted =
        config.Links?.From is { } from ? Template.Parse(from) : null;

    /// <summary>It stands in the place of the location's text.</summary>
    public bool IsAlias => _alias is not null;

    /// <summary>The alias of an expression is all of the file's name.</summary>
    public bool IsWholeName => _alias is { Length: 0 };

    /// <summary>What of a path the alias stands for.</summary>
    public int AliasLength => _alias?.Length ?? 0;

    /// <summary>
    /// What holds for links in a path of the system (ngx_http_set_disable_symlinks).
    /// </summary>
    public LinkCheck LinksOf(ReadOnlySpan<byte> path, Exchange exchange)
    {
        if (config.Links is not { } links)
        {
            return default;
        }

        if (_trusted is null)
        {
            return new LinkCheck(IsOn: true, links.FollowsOwners, 0);
        }

        using var from = EvaluatedText.Of(_trusted, exchange);
        int length = from.Text.Length;
        if (length == 0 || !path.StartsWith(from.Text))
        {
            return new LinkCheck(IsOn: true, links.FollowsOwners, 0);
        }

        // Only whole names are trusted.
        return length == path.Length ? default : new LinkCheck(
            IsOn: true,
            links.FollowsOwners,
            path[length] == '/' ? length : path[length - 1] == '/' ? length - 1 : 0);
    }

    /// <summary>
    /// As it is written, variables filled in; nothing where those ask for it again.
    /// </summary>
    public void WritePath(ref ByteWriter writer, Exchange exchange)
    {
        if (!exchange.IsWritingRoot)
        {
            exchange.IsWritingRoot = true;
            _path.Write(ref writer, exchange);
            exchange.IsWritingRoot = false;
        }
    }

    /// <summary>The file that a path stands for (ngx_http_map_uri_to_path).</summary>
    public void WriteFile(ref ByteWriter writer, ReadOnlySpan<byte> path, Exchange exchange)
    {
        WritePath(ref writer, exchange);
        if (!IsWholeName || exchange.AddsPathToAlias)
        {
            writer.Write(path[Math.Min(AliasLength, path.Length)..]);
        }
    }

    /// <summary>
    /// The file that a text of try_files stands for: behind an alias, the location's own text in
    /// front of it is left out.
    /// </summary>
    public void WriteTry(ref ByteWriter writer, ReadOnlySpan<byte> text, Exchange exchange)
    {
        WritePath(ref writer, exchange);
        writer.Write(WithoutAlias(text));
    }

    /// <summary>A file was found: it is what the path means from now on.</summary>
    public void Adopt(Exchange exchange, ReadOnlySpan<byte> text, bool isFolder)
    {
        if (!IsAlias)
        {
            exchange.AdoptPath(text);
        }
        else if (!IsWholeName)
        {
            exchange.AdoptPath([.. _alias!, .. WithoutAlias(text)]);
        }
        else if (!isFolder)
        {
            exchange.AdoptPath(text);
            exchange.AddsPathToAlias = true;
        }
    }

    private ReadOnlySpan<byte> WithoutAlias(ReadOnlySpan<byte> text) =>
        _alias is { Length: > 0 } && text.StartsWith(_alias) ? text[_alias.Length..] : text;

    /// <summary>The path, where its links lead to; nothing when there is no such folder.</summary>
    public void WriteRealPath(ref ByteWriter writer, Exchange exchange)
    {
        using var path = EvaluatedText.Of(_path, exchange);
        var folder = new DirectoryInfo(Encoding.UTF8.GetString(path.Text));
        if (folder.Exists)
        {
            writer.WriteText(folder.ResolveLinkTarget(returnFinalTarget: true)?.FullName
                ?? folder.FullName);
        }
    }
}
