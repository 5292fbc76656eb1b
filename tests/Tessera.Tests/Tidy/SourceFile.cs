using System.Diagnostics;

namespace Tessera.Tests.Tidy;

/// <summary>
/// One C# file of the repository: its lines as they are, and its code without text.
/// </summary>
/// <param name="Path">Relative to the repository's root, with slashes.</param>
/// <param name="Lines">As they stand in the file.</param>
/// <param name="Code">The same lines with comments, strings and characters blanked out.</param>
public sealed record SourceFile(string Path, string[] Lines, string[] Code)
{
    private static readonly Lazy<string> LazyRoot = new(FindRoot);

    public static string Root => LazyRoot.Value;

    public bool IsIn(string folder) => Path.StartsWith(folder + "/", StringComparison.Ordinal);

    public static SourceFile Read(string path)
    {
        string text = File.ReadAllText(System.IO.Path.Combine(Root, path));
        return Parse(path, text);
    }

    public static SourceFile Parse(string path, string text) =>
        new(path, text.Split('\n'), CodeOnly.Of(text).Split('\n'));

    /// <summary>
    /// What git tracks, and what it would track: new files count before they are added.
    /// </summary>
    public static string[] TrackedPaths()
    {
        using Process git = Process.Start(new ProcessStartInfo("git")
        {
            ArgumentList = { "ls-files", "--cached", "--others", "--exclude-standard" },
            WorkingDirectory = Root,
            RedirectStandardOutput = true,
        })!;
        string output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        return
        [
            .. output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Where(path => File.Exists(System.IO.Path.Combine(Root, path)))
                .Distinct(),
        ];
    }

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null
            && !File.Exists(System.IO.Path.Combine(folder.FullName, "Tessera.slnx")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName
            ?? throw new InvalidOperationException("the tests run outside of the repository");
    }
}
