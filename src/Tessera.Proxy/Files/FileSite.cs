using System.Text;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Files;

/// <summary>One of the paths that are tried in turn. Immutable.</summary>
/// <param name="Path">Null for the other two.</param>
/// <param name="WantsFolder">The path stands for a folder, not for a file.</param>
/// <param name="Status">Answered when it is not 0.</param>
internal sealed record FileTry(Template? Path, bool WantsFolder, int Status)
{
    public bool IsBackend => Path is null && Status == 0;
}

/// <summary>A route's files: its configuration, made ready once. Immutable.</summary>
internal sealed class FileSite
{
    /// <exception cref="FormatException">A path has a variable that there is not.</exception>
    public FileSite(FilesConfig config)
    {
        string root = config.Root.TrimEnd('/');
        Root = Encoding.UTF8.GetBytes((root.Length == 0 ? "/" : root) + '\0');

        // What may lead out of the root is never found by who may not.
        KeyPrefix = Encoding.UTF8.GetBytes((config.MayLeaveByLink ? '+' : '-') + root + '/');
        StripPrefix = Encoding.UTF8.GetBytes(config.StripPrefix?.TrimEnd('/') ?? "");
        Index = [.. config.Index.Select(Encoding.UTF8.GetBytes)];
        Tries = [.. config.TryFiles.Select(ParseTry)];
        Types = new MediaTypes(config.Types, config.DefaultType);
        CacheControl = config.CacheControl is null
            ? []
            : Encoding.ASCII.GetBytes($"Cache-Control: {config.CacheControl}\r\n");
        MayTransform = config.CacheControl?.Contains(
            "no-transform", StringComparison.OrdinalIgnoreCase) != true;
        IsPrecompressed = config.IsPrecompressed;
        StaysBelowRoot = !config.MayLeaveByLink;
        ListsFolders = config.ListsFolders;
    }

    /// <summary>
    /// Every absolute path there is, each looked at anew whenever it is asked for: nginx keeps no
    /// file open unless it is told to.
    /// </summary>
    public static FileSite WholeSystem { get; } = new(
        new FilesConfig { Root = "/", MayLeaveByLink = true })
    {
        IsWholeSystem = true,
    };

    public bool IsWholeSystem { get; private init; }

    /// <summary>Ends with NUL.</summary>
    public byte[] Root { get; }

    /// <summary>With the path below the root behind it, it names a file in the cache.</summary>
    public byte[] KeyPrefix { get; }

    public byte[] StripPrefix { get; }

    public byte[][] Index { get; }

    /// <summary>Empty looks up the path itself.</summary>
    public FileTry[] Tries { get; }

    public MediaTypes Types { get; }

    /// <summary>A whole field line, or nothing.</summary>
    public byte[] CacheControl { get; }

    /// <summary>Cache-Control does not forbid to compress (RFC 9111 section 5.2.2.6).</summary>
    public bool MayTransform { get; }

    public bool IsPrecompressed { get; }

    public bool StaysBelowRoot { get; }

    public bool ListsFolders { get; }

    private static FileTry ParseTry(string text)
    {
        if (text.StartsWith('@'))
        {
            return new FileTry(null, WantsFolder: false, Status: 0);
        }

        if (text.StartsWith('=') && int.TryParse(text.AsSpan(1), out int status)
            && status is >= 200 and <= 599)
        {
            return new FileTry(null, WantsFolder: false, status);
        }

        // A query is for what computes pages.
        int query = text.IndexOf('?', StringComparison.Ordinal);
        string path = query < 0 ? text : text[..query];
        return new FileTry(Template.Parse(path), path.EndsWith('/'), Status: 0);
    }
}
