using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>Folders for temporary files: client_body_temp_path and its kin. Stateless.</summary>
internal static class TemporaryPath
{
    private const int MaxLevelDigits = 9;

    /// <param name="name">Of the directive.</param>
    /// <param name="otherwise">Below the prefix, where nothing sets it.</param>
    public static TemporaryFolderConfig Read(
        NginxScope scope, string name, string otherwise, NginxFiles files)
    {
        if (scope.Find(name) is not { } directive)
        {
            return new TemporaryFolderConfig(Note(files, otherwise), []);
        }

        return new TemporaryFolderConfig(Note(files, directive.Value), ReadLevels(directive));
    }

    /// <summary>How many digits of a file's number each folder below has for its name.</summary>
    /// <exception cref="NginxConfigException">One is no number.</exception>
    public static ImmutableArray<int> ReadLevels(NginxDirective directive)
    {
        var levels = ImmutableArray.CreateBuilder<int>();
        foreach (string text in directive.Arguments.Skip(1))
        {
            if (!int.TryParse(text, out int digits) || digits is < 1 or > MaxLevelDigits)
            {
                throw directive.Error($"\"{directive.Name}\" directive invalid value");
            }

            levels.Add(digits);
        }

        return levels.ToImmutable();
    }

    private static string Note(NginxFiles files, string name)
    {
        string folder = files.Resolve(name);
        files.TemporaryFolders.Add(folder);
        return folder;
    }
}
