using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>A path that is looked for.</summary>
internal readonly record struct FilePath(Template Path, bool IsFolder);

/// <summary>nginx's try_files, made ready once. Immutable.</summary>
internal sealed class TryFilesRoute(TryFilesConfig config)
{
    public FilePath[] Paths { get; } =
    [
        .. config.Paths.Select(path => path.EndsWith('/')
            ? new FilePath(Template.Parse(path[..^1]), IsFolder: true)
            : new FilePath(Template.Parse(path), IsFolder: false)),
    ];

    public Template Fallback { get; } = Template.Parse(config.Fallback);

    /// <summary>Answered when nothing is found, unless it is 0.</summary>
    public int Status { get; } = config.Status;
}
