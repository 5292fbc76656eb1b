using Tessera.Proxy.Nginx;

namespace Tessera.Nginx;

/// <summary>What <c>nginx</c> is asked to do: nginx(8).</summary>
internal sealed record NginxArguments
{
    /// <summary>-p: where relative names begin.</summary>
    public string Prefix { get; init; } = "/etc/nginx/";

    /// <summary>-c.</summary>
    public string File { get; init; } = "nginx.conf";

    /// <summary>-g.</summary>
    public string Globals { get; init; } = "";

    /// <summary>-t: reads the configuration and tells whether it can be used.</summary>
    public bool IsTest { get; init; }

    /// <summary>--lenient: what nginx has and this program has not is warned of.</summary>
    public bool IsLenient { get; init; }

    /// <summary>The configuration that is meant.</summary>
    public NginxSource Source => new(Prefix, File, Globals) { IsLenient = IsLenient };

    /// <exception cref="NginxConfigException">In nginx's words.</exception>
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

            if (argument.Length < 2 || argument[0] != '-')
            {
                throw new NginxConfigException($"invalid option: \"{argument}\"");
            }

            for (int letter = 1; letter < argument.Length; letter++)
            {
                if (argument[letter] is 't')
                {
                    result = result with { IsTest = true };
                    continue;
                }

                string value = letter + 1 < argument.Length ? argument[(letter + 1)..]
                    : ++i < arguments.Count ? arguments[i]
                    : throw new NginxConfigException(
                        $"option \"-{argument[letter]}\" requires parameter");
                result = argument[letter] switch
                {
                    'p' => result with { Prefix = value },
                    'c' => result with { File = value },
                    'g' => result with { Globals = value },
                    'e' => result,
                    _ => throw new NginxConfigException($"invalid option: \"{argument[letter]}\""),
                };
                break;
            }
        }

        return result with { Prefix = Path.GetFullPath(result.Prefix) };
    }
}
