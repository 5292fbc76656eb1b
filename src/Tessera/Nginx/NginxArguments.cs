using Tessera.Proxy.Nginx;

namespace Tessera.Nginx;

/// <summary>A command line that nginx would not take, in its words.</summary>
internal sealed class NginxUsageException(string message) : Exception(message);

/// <summary>What <c>nginx</c> is asked to do: nginx(8).</summary>
internal sealed record NginxArguments
{
    /// <summary>-p: where relative names begin; null for the places that packages use.</summary>
    public string? Prefix { get; init; }

    /// <summary>-c; relative to the prefix.</summary>
    public string? File { get; init; }

    /// <summary>-g.</summary>
    public string Globals { get; init; } = "";

    /// <summary>-e: where errors go until the configuration says; "stderr" is that.</summary>
    public string? ErrorLog { get; init; }

    /// <summary>-s: stop, quit, reopen or reload; null sends none.</summary>
    public string? Signal { get; init; }

    /// <summary>-t: reads the configuration and tells whether it can be used.</summary>
    public bool IsTest { get; init; }

    /// <summary>-T: and prints it.</summary>
    public bool IsDump { get; init; }

    /// <summary>-q: a test says nothing but errors.</summary>
    public bool IsQuiet { get; init; }

    /// <summary>-v.</summary>
    public bool ShowsVersion { get; init; }

    /// <summary>-V.</summary>
    public bool ShowsBuild { get; init; }

    /// <summary>-? and -h.</summary>
    public bool ShowsHelp { get; init; }

    /// <summary>--lenient: what nginx has and this program has not is warned of.</summary>
    public bool IsLenient { get; init; }

    /// <summary>The configuration that is meant.</summary>
    public NginxSource Source => NginxPlaces.SourceOf(this);

    /// <exception cref="NginxUsageException">In nginx's words.</exception>
    public static NginxArguments Parse(IReadOnlyList<string> arguments)
    {
        var result = new NginxArguments();
        for (int i = 0; i < arguments.Count; i++)
        {
            string argument = arguments[i];
            if (argument == "--lenient")
            {
                result = result with { IsLenient = true };
                continue;
            }

            if (argument.Length == 0 || argument[0] != '-')
            {
                throw new NginxUsageException($"invalid option: \"{argument}\"");
            }

            for (int letter = 1; letter < argument.Length; letter++)
            {
                if (result.WithFlag(argument[letter]) is { } flagged)
                {
                    result = flagged;
                    continue;
                }

                string rest = argument[(letter + 1)..];
                string? value = rest.Length > 0 ? rest : arguments.ElementAtOrDefault(++i);
                result = result.WithValue(argument[letter], value);
                break;
            }
        }

        return result;
    }

    /// <summary>Null when the letter stands for something that has a value.</summary>
    private NginxArguments? WithFlag(char letter) => letter switch
    {
        '?' or 'h' => this with { ShowsVersion = true, ShowsHelp = true },
        'v' => this with { ShowsVersion = true },
        'V' => this with { ShowsVersion = true, ShowsBuild = true },
        't' => this with { IsTest = true },
        'T' => this with { IsTest = true, IsDump = true },
        'q' => this with { IsQuiet = true },
        _ => null,
    };

    private NginxArguments WithValue(char letter, string? value) => (letter, value) switch
    {
        ('p', null or "") => throw Missing('p', "directory name"),
        ('e', null or "") => throw Missing('e', "file name"),
        ('c', null or "") => throw Missing('c', "file name"),
        ('g', null or "") => throw Missing('g', "parameter"),
        ('s', null or "") => throw Missing('s', "parameter"),
        ('p', _) => this with { Prefix = value },
        ('e', _) => this with { ErrorLog = value },
        ('c', _) => this with { File = value },
        ('g', _) => this with { Globals = value },
        ('s', "stop" or "quit" or "reopen" or "reload") => this with { Signal = value },
        ('s', _) => throw new NginxUsageException($"invalid option: \"-s {value}\""),
        _ => throw new NginxUsageException($"invalid option: \"{letter}\""),
    };

    private static NginxUsageException Missing(char letter, string what) =>
        new($"option \"-{letter}\" requires {what}");
}
