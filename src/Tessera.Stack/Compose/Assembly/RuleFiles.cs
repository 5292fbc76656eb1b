using System.Collections.Immutable;
using Tessera.Stack.Compose.Files;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Assembly;

/// <summary>The paths in a service's <c>x-tessera</c>: of folders with files, of users.</summary>
internal static class RuleFiles
{
    /// <summary>The service's own rules, then those of its routes.</summary>
    public static IEnumerable<MappingNode> RulesOf(MappingNode service) =>
        service[TesseraSchema.Name] is not MappingNode options
            ? []
            : options.EntriesOf("routes").Select(route => route.Value).OfType<MappingNode>()
                .Prepend(options);

    /// <summary>Makes them absolute.</summary>
    public static void Resolve(
        MappingNode rules, string folder, ImmutableSortedDictionary<string, string> variables)
    {
        Resolve(rules["files"] as MappingNode, "root", folder, variables);
        Resolve(UsersOf(rules), "file", folder, variables);
        ResolveNginx(rules, folder, variables);
    }

    /// <summary>Makes the paths of nginx's files absolute, in a service or the document.</summary>
    /// <param name="options">Of <c>x-tessera</c>; null has none.</param>
    public static void ResolveNginx(
        MappingNode? options, string folder, ImmutableSortedDictionary<string, string> variables)
    {
        if (options?["nginx"] is SequenceNode files)
        {
            options.Set("nginx", new SequenceNode(files.Position, files.Items.Select(
                file => file is ScalarNode { Value: string { Length: > 0 } path }
                    ? new ScalarNode(file.Position, Paths.Absolute(path, folder, variables))
                    : file)));
        }
    }

    /// <summary>
    /// Puts the lines of the file in the place of its name, as with <c>env_file</c>: what runs
    /// later needs no file of the caller's.
    /// </summary>
    public static void FoldUsers(MappingNode rules, string workingDirectory, Problems problems)
    {
        if (UsersOf(rules) is not { } auth || auth["file"] is not { } node)
        {
            return;
        }

        string path = TextOf(node);
        string display = SourceFiles.Display(path, workingDirectory);
        if (!File.Exists(path))
        {
            problems.Add(node.Position, $"the file of users {display} does not exist");
            return;
        }

        MappingNode users = auth["users"] as MappingNode ?? new(node.Position);
        foreach (string line in VariableFiles.ReadText(path, display).Split('\n'))
        {
            string user = line.Trim();
            int colon = user.IndexOf(':', StringComparison.Ordinal);
            bool isHashed = user.Length > colon + 1 && user[colon + 1] is '$' or '{';
            if (colon > 0 && user[0] != '#' && !isHashed)
            {
                problems.Add(
                    node.Position,
                    $"{display}: the password of {user[..colon]} is hashed in a way that is too " +
                    "weak to take: make it anew with `htpasswd -B` or `openssl passwd -6`");
            }
            else if (colon > 0 && user[0] != '#')
            {
                users.Set(user[..colon], new ScalarNode(node.Position, user[(colon + 1)..]));
            }
            else if (user.Length > 0 && user[0] != '#')
            {
                problems.Add(node.Position, $"{display} has a line that is no \"name:hash\"");
            }
        }

        auth.Set("users", users);
        auth.Remove("file");
    }

    private static MappingNode? UsersOf(MappingNode rules) =>
        (rules["access"] as MappingNode)?["basic_auth"] as MappingNode;

    private static void Resolve(
        MappingNode? owner,
        string key,
        string folder,
        ImmutableSortedDictionary<string, string> variables)
    {
        if (owner?[key] is ScalarNode { Value: string { Length: > 0 } path } node)
        {
            owner.Set(
                key,
                node.Position,
                new ScalarNode(node.Position, Paths.Absolute(path, folder, variables)));
        }
    }
}
