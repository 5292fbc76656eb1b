using System.Collections.Immutable;
using System.Text;

namespace Tessera.Stack.Compose.Files;

/// <summary>
/// The name of a project: from <c>-p</c>, the environment, the files, or the folder.
/// </summary>
public static class ProjectName
{
    internal const string Variable = "COMPOSE_PROJECT_NAME";

    /// <summary>Lower-case letters, digits, <c>-</c> and <c>_</c>, the first no sign.</summary>
    public static bool IsValid(string name) => name.Length > 0 && Normalise(name) == name;

    /// <summary>The name itself.</summary>
    /// <exception cref="UserErrorException">It is not valid.</exception>
    public static string Require(string name) => IsValid(name)
        ? name
        : throw new UserErrorException(
            $"invalid project name \"{name}\": must consist only of lowercase alphanumeric " +
            "characters, hyphens, and underscores as well as start with a letter or number.");

    /// <param name="nameOfFiles">Top-level <c>name</c> of the last file that has one.</param>
    /// <exception cref="UserErrorException">A given name is not valid, or none can be
    /// made.</exception>
    internal static string Choose(
        string? commandLine,
        ImmutableSortedDictionary<string, string> variables,
        string? nameOfFiles,
        string projectDirectory)
    {
        if (!string.IsNullOrEmpty(commandLine))
        {
            return Require(commandLine);
        }

        if (variables.TryGetValue(Variable, out string? variable) && variable.Length > 0)
        {
            return Require(variable);
        }

        string name = Normalise(nameOfFiles ?? "");
        name = name.Length > 0 ? name : Normalise(Path.GetFileName(projectDirectory));
        return name.Length > 0
            ? name
            : throw new UserErrorException(
                $"the folder {projectDirectory} gives no project name; write \"name:\" into the " +
                "file, or use -p.");
    }

    /// <summary>Lower case, without characters that names do not have, nor <c>-</c> or <c>_</c>
    /// at the start.</summary>
    public static string Normalise(string name)
    {
        StringBuilder kept = new(name.Length);
        foreach (char character in name.ToLowerInvariant())
        {
            bool isFirst = kept.Length == 0;
            if (char.IsAsciiLetterLower(character) || char.IsAsciiDigit(character)
                || (character is '-' or '_' && !isFirst))
            {
                kept.Append(character);
            }
        }

        return kept.ToString();
    }
}
