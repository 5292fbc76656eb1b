using System.Collections.Immutable;

namespace Tessera.Stack.Compose;

/// <summary>What the command line says about the files to load.</summary>
/// <param name="Files">As given with <c>-f</c>: files or folders; empty looks in the working directory and above.</param>
/// <param name="ProjectName">From <c>-p</c>, before it is normalised.</param>
/// <param name="ProjectDirectory">From <c>--project-directory</c>.</param>
/// <param name="EnvFiles">From <c>--env-file</c>; empty means <c>.env</c> beside the first file.</param>
/// <param name="Environment">Variables of the caller; they win over env files.</param>
public sealed record LoadRequest(
    ImmutableArray<string> Files,
    string? ProjectName,
    string? ProjectDirectory,
    ImmutableArray<string> EnvFiles,
    ImmutableArray<string> Profiles,
    string WorkingDirectory,
    ImmutableSortedDictionary<string, string> Environment);

/// <param name="CanonicalJson">The whole model, as <c>docker compose config --format json</c> prints it.</param>
/// <param name="Warnings">For stderr, in order; each a whole sentence.</param>
public sealed record LoadedProject(
    Project Project, string CanonicalJson, ImmutableArray<string> Warnings);

/// <summary>
/// The only way from Compose files to a <see cref="Project"/>: read, interpolate, merge, validate,
/// canonical, bind once.
/// </summary>
public static class ComposeLoader
{
    /// <exception cref="UserErrorException">The files are not right; nothing was done.</exception>
    public static LoadedProject Load(LoadRequest request) => throw new UserErrorException("no loader");

    /// <summary>Binds a document that <see cref="Load"/> printed before.</summary>
    public static Project Bind(string canonicalJson) => throw new UserErrorException("no loader");
}
