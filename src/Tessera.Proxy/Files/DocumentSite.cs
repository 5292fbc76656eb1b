using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Files;

/// <summary>A route's <see cref="DocumentsConfig"/>, made ready once. Immutable.</summary>
internal sealed class DocumentSite
{
    /// <exception cref="FormatException">A text has a variable that there is not.</exception>
    public DocumentSite(DocumentsConfig config)
    {
        Config = config;
        Index =
        [
            .. config.Index.Select(text => new IndexFile(
                Template.Parse(text), text.StartsWith('/'))),
        ];
    }

    public DocumentsConfig Config { get; }

    public IndexFile[] Index { get; }
}

/// <summary>What stands for a folder.</summary>
/// <param name="IsPath">A path of the server, not of the folder.</param>
internal sealed record IndexFile(Template Name, bool IsPath);
