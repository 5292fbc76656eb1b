using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Tessera.Linux.Processes;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// An instance's start that its definition or this machine does not allow; for people.
/// </summary>
internal sealed class StartFailedException(string message) : Exception(message);

/// <summary>
/// What one instance runs: its words with ports filled in, its environment, and the wrappers that
/// give it its identity and limits. Immutable.
/// </summary>
internal sealed class InstanceCommand
{
    private const string DefaultPath =
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private readonly Service _service;
    private readonly ImmutableSortedDictionary<int, int> _ports;
    private readonly ImmutableSortedDictionary<string, string> _environment;
    private readonly Identity? _identity;

    /// <param name="ports">Private port by target port.</param>
    /// <exception cref="StartFailedException">The user or group is unknown, or not ours to
    /// become.</exception>
    public InstanceCommand(
        Service service,
        ImmutableSortedDictionary<int, int> ports,
        ImmutableSortedDictionary<string, string> baseEnvironment,
        ImmutableSortedDictionary<string, string> marks,
        string? pathFolder)
    {
        _service = service;
        _ports = ports;
        _identity = Identity.Resolve(service.User);
        _environment = CreateEnvironment(baseEnvironment, marks, pathFolder);
    }

    /// <summary>Who the process is to be; null when it stays who the daemon is.</summary>
    public Identity? Identity => _identity;

    public ImmutableSortedDictionary<string, string> Environment => _environment;

    /// <summary>The command line for people.</summary>
    public string Text => string.Join(' ', _service.Command.Select(Expand));

    /// <exception cref="StartFailedException">The program or the working directory is not
    /// there.</exception>
    public SpawnRequest CreateRequest(string outputPath) =>
        Create(_service.Command, outputPath, -1);

    /// <summary>A healthcheck's command: same environment, identity and limits.</summary>
    /// <exception cref="StartFailedException">As <see cref="CreateRequest"/>.</exception>
    public SpawnRequest CreateCheckRequest(Healthcheck check, int outputDescriptor)
    {
        ImmutableArray<string> words = check.UsesShell
            ? ["/bin/sh", "-c", string.Join(' ', check.Test)]
            : check.Test;
        return Create(words, null, outputDescriptor, expandLast: !check.UsesShell);
    }

    private SpawnRequest Create(
        ImmutableArray<string> template, string? outputPath, int outputDescriptor,
        bool expandLast = true)
    {
        if (template.IsEmpty)
        {
            throw new StartFailedException("no command: the service says nothing to run");
        }

        string directory = _service.WorkingDirectory;
        if (!Directory.Exists(directory))
        {
            throw new StartFailedException(File.Exists(directory)
                ? $"working directory {directory}: not a directory"
                : $"working directory {directory}: no such directory");
        }

        // A shell line keeps its $PORT for the shell, which finds it in the environment.
        string[] words = [.. template.Select((word, i) =>
            i < template.Length - 1 || expandLast ? Expand(word) : word)];
        string program = FindProgram(words[0], directory);
        string[] wrappers =
            [.. LimitWords(), .. _identity?.CreateWords(FindWrapper("setpriv")) ?? []];
        if (wrappers.Length > 0)
        {
            words = [.. wrappers, program, .. words.Skip(1)];
            program = wrappers[0];
        }

        string[] environment = [.. _environment.Select(pair => $"{pair.Key}={pair.Value}")];
        return new SpawnRequest(
            program, words, environment, directory, outputPath, outputDescriptor);
    }

    /// <summary>
    /// Fills in <c>$PORT</c> and <c>$PORT_n</c>, with or without braces; the rest stays.
    /// </summary>
    public string Expand(string word)
    {
        if (!word.Contains('$', StringComparison.Ordinal))
        {
            return word;
        }

        var text = new StringBuilder(word.Length);
        int at = 0;
        while (at < word.Length)
        {
            int length = 0;
            if (word[at] == '$' && TryReadName(word.AsSpan(at + 1), out string name, out length)
                && PortOf(name) is int port)
            {
                text.Append(port.ToString(CultureInfo.InvariantCulture));
                at += 1 + length;
            }
            else
            {
                text.Append(word[at++]);
            }
        }

        return text.ToString();
    }

    private static bool TryReadName(ReadOnlySpan<char> rest, out string name, out int length)
    {
        bool isBraced = rest.Length > 0 && rest[0] == '{';
        int start = isBraced ? 1 : 0;
        int end = start;
        while (end < rest.Length && (char.IsAsciiLetterOrDigit(rest[end]) || rest[end] == '_'))
        {
            end++;
        }

        name = rest[start..end].ToString();
        length = isBraced ? end + 1 : end;
        return !isBraced || (end < rest.Length && rest[end] == '}');
    }

    private int? PortOf(string name)
    {
        if (name == "PORT")
        {
            return FirstPort;
        }

        return name.StartsWith("PORT_", StringComparison.Ordinal)
            && int.TryParse(
                name.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out int target)
            && _ports.TryGetValue(target, out int port)
            ? port
            : null;
    }

    private int? FirstPort => _service.TargetPorts.IsEmpty
        ? _service.Options.FixedPort
        : _ports.TryGetValue(_service.TargetPorts[0], out int port) ? port : null;

    private ImmutableSortedDictionary<string, string> CreateEnvironment(
        ImmutableSortedDictionary<string, string> baseEnvironment,
        ImmutableSortedDictionary<string, string> marks,
        string? pathFolder)
    {
        var all = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        all.AddRange(baseEnvironment);
        if (_identity is { Account: UserAccount account })
        {
            all["HOME"] = account.Home;
            all["USER"] = account.Name;
            all["LOGNAME"] = account.Name;
        }

        foreach ((string name, string value) in _service.Environment)
        {
            all[name] = value;
        }

        string path = all.TryGetValue("PATH", out string? given) && given != ""
            ? given
            : DefaultPath;
        all["PATH"] = pathFolder is null ? path : $"{path}:{pathFolder}";
        if (FirstPort is int first)
        {
            all["PORT"] = first.ToString(CultureInfo.InvariantCulture);
        }

        foreach ((int target, int port) in _ports.Where(pair => pair.Key > 0))
        {
            all[string.Create(CultureInfo.InvariantCulture, $"PORT_{target}")] =
                port.ToString(CultureInfo.InvariantCulture);
        }

        foreach ((string name, string value) in marks)
        {
            all[name] = value;
        }

        return all.ToImmutable();
    }

    private string FindProgram(string word, string directory)
    {
        if (word.Contains('/', StringComparison.Ordinal))
        {
            string path = Path.GetFullPath(word, directory);
            return IsExecutable(path) ? path
                : throw new StartFailedException(File.Exists(path)
                    ? $"{word}: not executable"
                    : Directory.Exists(path) ? $"{word}: is a directory" : $"{word}: no such file");
        }

        bool wasFound = false;
        foreach (string folder in _environment["PATH"].Split(':'))
        {
            // An empty entry means the working directory (execvp(3)).
            string path = Path.Combine(
                Path.GetFullPath(folder == "" ? "." : folder, directory), word);
            if (IsExecutable(path))
            {
                return path;
            }

            wasFound |= File.Exists(path);
        }

        throw new StartFailedException(wasFound
            ? $"{word}: found on PATH, but not executable"
            : $"{word}: not found on PATH");
    }

    private static bool IsExecutable(string path)
    {
        const UnixFileMode anyExecute =
            UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        try
        {
            return File.Exists(path) && (File.GetUnixFileMode(path) & anyExecute) != 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string FindWrapper(string name)
    {
        string? path = DefaultPath.Split(':')
            .Select(folder => $"{folder}/{name}")
            .FirstOrDefault(IsExecutable);
        return path ?? throw new StartFailedException(
            $"{name}: not found; user: and ulimits: need it (package util-linux)");
    }

    private IEnumerable<string> LimitWords()
    {
        if (_service.Limits.IsEmpty)
        {
            return [];
        }

        return
        [
            FindWrapper("prlimit"),
            .. _service.Limits.Select(
                limit => $"--{limit.Name}={Describe(limit.Soft)}:{Describe(limit.Hard)}"),
            "--",
        ];
    }

    private static string Describe(long limit) =>
        limit < 0 ? "unlimited" : limit.ToString(CultureInfo.InvariantCulture);
}
