using System.IO.Enumeration;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Reads the files of a configuration, keeps what was read, and knows where relative names begin:
/// those of files of the configuration at the folder of the main file, all others at the prefix.
/// </summary>
internal sealed class NginxFiles
{
    private readonly string _prefix;
    private readonly string _folder;
    private readonly List<(string File, string Text)> _read = [];

    public NginxFiles(NginxSource source)
    {
        Source = source;
        _prefix = source.Prefix;
        MainFile = source.MainFile;
        _folder = Path.GetDirectoryName(MainFile) ?? "/";
    }

    public NginxSource Source { get; }

    public string MainFile { get; }

    /// <summary>Every file that was read, once, in that order: what -T prints.</summary>
    public IReadOnlyList<(string File, string Text)> Dump => _read;

    /// <summary>The whole name of a file that a directive names.</summary>
    public string Resolve(string name) => Path.Combine(_prefix, name);

    /// <summary>The whole name of a file that belongs to the configuration.</summary>
    public string ResolveConfig(string name) => Path.Combine(_folder, name);

    /// <exception cref="NginxConfigException">It cannot be read.</exception>
    public string ReadMain() => Read(MainFile, position: null);

    /// <summary>What an include names, in the order of names; a pattern may name nothing.</summary>
    /// <exception cref="NginxConfigException">A file cannot be read.</exception>
    public IEnumerable<(string File, string Text)> Include(NginxDirective directive)
    {
        string name = ResolveConfig(directive.Value);
        IEnumerable<string> files = name.AsSpan().ContainsAny('*', '?', '[') ? Glob(name) : [name];
        foreach (string file in files.ToArray())
        {
            yield return (file, Read(file, directive.Position));
        }
    }

    private string Read(string file, NginxPosition? position)
    {
        try
        {
            string text = File.ReadAllText(file);
            if (!_read.Exists(known => known.File == file))
            {
                _read.Add((file, text));
            }

            return text;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string reason = e switch
            {
                FileNotFoundException or DirectoryNotFoundException =>
                    "2: No such file or directory",
                UnauthorizedAccessException when Directory.Exists(file) => "21: Is a directory",
                UnauthorizedAccessException => "13: Permission denied",
                _ => e.Message,
            };
            string message = $"open() \"{file}\" failed ({reason})";
            throw position is { } at
                ? new NginxConfigException(message, at)
                : new NginxConfigException(message);
        }
    }

    /// <summary>As glob(7), segment by segment; hidden files only where a pattern has the dot.</summary>
    private static IEnumerable<string> Glob(string pattern)
    {
        IEnumerable<string> found = ["/"];
        foreach (string segment in pattern.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            found = segment.AsSpan().ContainsAny('*', '?', '[')
                ? found.SelectMany(folder => Matches(folder, segment))
                : found.Select(folder => Path.Combine(folder, segment));
        }

        return found.Where(Path.Exists).Order(StringComparer.Ordinal);
    }

    private static IEnumerable<string> Matches(string folder, string segment) =>
        !Directory.Exists(folder)
            ? []
            : Directory.EnumerateFileSystemEntries(folder).Where(entry =>
                FileSystemName.MatchesSimpleExpression(
                    segment, Path.GetFileName(entry), ignoreCase: false)
                && (segment[0] == '.' || Path.GetFileName(entry)[0] != '.'));
}
