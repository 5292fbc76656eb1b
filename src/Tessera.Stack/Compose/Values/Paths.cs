namespace Tessera.Stack.Compose.Values;

/// <summary>Paths of Compose files, which are relative to the project directory.</summary>
internal static class Paths
{
    public static string ExpandHome(string path, IReadOnlyDictionary<string, string> variables)
    {
        if (path != "~" && !path.StartsWith("~/", StringComparison.Ordinal))
        {
            return path;
        }

        string home = variables.TryGetValue("HOME", out string? value) && value.Length > 0
            ? value
            : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return Join(home, path[1..].TrimStart('/'));
    }

    /// <summary>An absolute path stays as it is; others are resolved and cleaned.</summary>
    public static string Absolute(
        string path, string projectDirectory, IReadOnlyDictionary<string, string> variables)
    {
        string expanded = ExpandHome(path, variables);
        return expanded.StartsWith('/') ? expanded : Join(projectDirectory, expanded);
    }

    /// <summary>A build's context that no folder holds.</summary>
    public static bool IsRemote(string context) =>
        context.Contains("://", StringComparison.Ordinal)
        || context.StartsWith("git@", StringComparison.Ordinal)
        || context.StartsWith("github.com/", StringComparison.Ordinal);

    /// <summary>Without <c>.</c>, <c>..</c>, doubled or trailing slashes.</summary>
    public static string Clean(string path)
    {
        if (path.Length == 0)
        {
            return ".";
        }

        bool isRooted = path.StartsWith('/');
        List<string> parts = [];
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == "..")
            {
                if (parts.Count > 0 && parts[^1] != "..")
                {
                    parts.RemoveAt(parts.Count - 1);
                }
                else if (!isRooted)
                {
                    parts.Add(part);
                }
            }
            else if (part != ".")
            {
                parts.Add(part);
            }
        }

        string joined = string.Join('/', parts);
        return isRooted ? "/" + joined : joined.Length == 0 ? "." : joined;
    }

    private static string Join(string folder, string path) => Clean(folder + "/" + path);
}
