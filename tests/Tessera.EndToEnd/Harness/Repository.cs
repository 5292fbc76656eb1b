using System.Diagnostics;

namespace Tessera.EndToEnd.Harness;

/// <summary>
/// Where things lie: the repository, the program under test and the test applications.
/// </summary>
public static class Repository
{
    private static readonly Lazy<string> LazyBinary = new(FindBinary);

    public static string Root { get; } = FindRoot();

    /// <summary>
    /// <c>TESSERA_BIN</c>, else the build that <c>./tessera</c> made; the folder behind the
    /// <c>current</c> link, so that a later build does not change the program under a running test.
    /// </summary>
    public static string Binary => LazyBinary.Value;

    public static string Example(string name) => Path.Combine(Root, "examples", name);

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Tessera.slnx")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName
            ?? throw new InvalidOperationException("the tests run outside of the repository");
    }

    private static string FindBinary()
    {
        string? given = Environment.GetEnvironmentVariable("TESSERA_BIN");
        if (!string.IsNullOrEmpty(given))
        {
            return Path.GetFullPath(given);
        }

        using Process build = Process.Start(
            new ProcessStartInfo(Path.Combine(Root, "tessera"), "version")
            {
                RedirectStandardOutput = true,
            })!;
        build.StandardOutput.ReadToEnd();
        build.WaitForExit();
        var current = new DirectoryInfo(Path.Combine(Root, "artifacts/publish/current"));
        string folder = current.ResolveLinkTarget(returnFinalTarget: true)?.FullName
            ?? throw new InvalidOperationException("./tessera left no build behind");
        return Path.Combine(folder, "tessera");
    }
}
