using System.Collections.Immutable;
using Shouldly;
using Tessera.Proxy;
using Tessera.Stack.Compose;
using Tessera.Stack;

namespace Tessera.Tests.Stack.Compose;

/// <summary>A folder with Compose files that is gone after the test.</summary>
internal sealed class ProjectFolder : IDisposable
{
    public ProjectFolder(string compose = "")
    {
        Path = Directory.CreateTempSubdirectory("tessera-compose-").FullName;
        if (compose.Length > 0)
        {
            Write("compose.yaml", compose);
        }
    }

    public string Path { get; }

    public Dictionary<string, string> Environment { get; } = [];

    public ProjectFolder Write(string name, string content)
    {
        string path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
        return this;
    }

    public LoadRequest Request(params string[] files) => new(
        [.. files],
        ProjectName: "demo",
        ProjectDirectory: null,
        EnvFiles: [],
        Profiles: [],
        WorkingDirectory: Path,
        Environment: Environment.ToImmutableSortedDictionary(StringComparer.Ordinal))
    {
        ProblemOfTemplate = TemplateSyntax.ProblemOf,
    };

    public LoadedProject Load(params string[] files) => ComposeLoader.Load(Request(files));

    public string Json(params string[] files) =>
        WithoutPath(CanonicalText.Json(Load(files).CanonicalJson));

    public string Yaml(params string[] files) =>
        WithoutPath(CanonicalText.Yaml(Load(files).CanonicalJson));

    /// <summary>The message of the error that loading must end in.</summary>
    public string Error(params string[] files)
    {
        UserErrorException problem = Should.Throw<UserErrorException>(() => Load(files));
        problem.ExitCode.ShouldBe(UserErrorException.InvalidInput);
        return WithoutPath(problem.Message);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);

    /// <summary>The one service of a file that is loaded and bound.</summary>
    public static Service Bind(string service)
    {
        using ProjectFolder folder = new("services:\n  web:\n" + Indent(service, 4));
        return folder.Load().Project.Services["web"];
    }

    /// <summary>The error of a file with one service.</summary>
    public static string ErrorOf(string service)
    {
        using ProjectFolder folder = new("services:\n  web:\n" + Indent(service, 4));
        return folder.Error();
    }

    private string WithoutPath(string text) =>
        text.Replace(Path, "@DIR@", StringComparison.Ordinal);

    private static string Indent(string text, int width) => string.Join(
        '\n',
        text.Split('\n').Select(line => line.Length == 0 ? line : new string(' ', width) + line));
}
