using System.Collections.Immutable;
using System.Text;
using System.Text.RegularExpressions;

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
    private readonly HashSet<string> _logs = new(StringComparer.Ordinal);
    private readonly ImmutableSortedDictionary<string, string>.Builder _texts =
        ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);

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

    /// <summary>Every file that was read, also those that -T does not print.</summary>
    public ImmutableSortedDictionary<string, string> Texts => _texts.ToImmutable();

    /// <summary>Files that are logged to.</summary>
    public IReadOnlyCollection<string> Logs => _logs;

    /// <summary>Folders for temporary files.</summary>
    public HashSet<string> TemporaryFolders { get; } = new(StringComparer.Ordinal);

    /// <summary>The whole name of a file that will be logged to.</summary>
    public string ResolveLog(string name)
    {
        string file = Resolve(name);
        _logs.Add(file);
        return file;
    }

    /// <summary>The whole name of a file that a directive names.</summary>
    public string Resolve(string name) => Path.Combine(_prefix, name);

    /// <summary>The whole name of a file that belongs to the configuration.</summary>
    public string ResolveConfig(string name) => Path.Combine(_folder, name);

    /// <summary>
    /// The lines of a file beside the configuration, which -T does not print; null when it cannot
    /// be read.
    /// </summary>
    public string[]? TryReadLines(string name)
    {
        try
        {
            return ReadText(ResolveConfig(name)).Split(['\n', '\r']);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <exception cref="NginxConfigException">It cannot be read.</exception>
    public string ReadMain() => Read(MainFile, position: null);

    /// <summary>What an include names, in the order of names; a pattern may name nothing.</summary>
    /// <exception cref="NginxConfigException">A file cannot be read.</exception>
    public IEnumerable<(string File, string Text)> Include(NginxDirective directive)
    {
        string name = ResolveConfig(directive.Value);
        IEnumerable<string> files = !name.AsSpan().ContainsAny('*', '?', '[') ? [name]
            : Source.Texts is null ? Glob(name)
            : Source.Texts.Keys.Where(file => Fits(file, name));
        foreach (string file in files.ToArray())
        {
            yield return (file, Read(file, directive.Position));
        }
    }

    private string Read(string file, NginxPosition? position)
    {
        try
        {
            string text = ReadText(file);
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

    /// <summary>From the disk, or as it was read before.</summary>
    private string ReadText(string file)
    {
        string text = Source.Texts is not { } texts ? File.ReadAllText(file)
            : texts.TryGetValue(file, out string? known) ? known
            : throw new FileNotFoundException(null, file);
        _texts[file] = text;
        return text;
    }

    private static bool Fits(string file, string pattern)
    {
        string[] names = file.Split('/');
        string[] segments = pattern.Split('/');
        return names.Length == segments.Length && names.Zip(segments).All(
            pair => Regex.IsMatch(pair.First, ToExpression(pair.Second)));
    }

    /// <summary>
    /// As glob(7), segment by segment; hidden files only where a pattern has the dot.
    /// </summary>
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
                Regex.IsMatch(Path.GetFileName(entry), ToExpression(segment))
                && (segment[0] == '.' || Path.GetFileName(entry)[0] != '.'));

    /// <summary>"*", "?" and "[a-z]", "[!a-z]" of glob(7); a "[" without end is itself.</summary>
    private static string ToExpression(string segment)
    {
        var text = new StringBuilder("^");
        for (int i = 0; i < segment.Length; i++)
        {
            int end = segment[i] == '[' && i + 2 < segment.Length
                ? segment.IndexOf(']', i + 2)
                : -1;
            if (end > 0)
            {
                string set = segment[(i + 1)..end].Replace("\\", "\\\\", StringComparison.Ordinal)
                    .Replace("[", "\\[", StringComparison.Ordinal);
                text.Append('[').Append(set[0] == '!' ? "^" + set[1..] : set).Append(']');
                i = end;
            }
            else
            {
                text.Append(segment[i] switch
                {
                    '*' => ".*",
                    '?' => ".",
                    char letter => Regex.Escape(letter.ToString()),
                });
            }
        }

        return text.Append('$').ToString();
    }
}
