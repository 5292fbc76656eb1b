using System.Collections.Immutable;
using Tessera.Stack.Compose.Assembly;
using Tessera.Stack.Compose.Files;
using Tessera.Stack.Compose.Model;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose;

/// <summary>What the command line says about the files to load.</summary>
/// <param name="Files">As given with <c>-f</c>: files or folders, <c>-</c> for stdin; empty looks
/// in the working directory and above.</param>
/// <param name="ProjectName">From <c>-p</c>, before it is normalised.</param>
/// <param name="ProjectDirectory">From <c>--project-directory</c>.</param>
/// <param name="EnvFiles">From <c>--env-file</c>; empty means <c>.env</c> beside the first
/// file.</param>
/// <param name="Profiles">From <c>--profile</c>; empty means <c>COMPOSE_PROFILES</c>.</param>
/// <param name="WorkingDirectory">Absolute.</param>
/// <param name="Environment">Variables of the caller; they win over env files.</param>
public sealed record LoadRequest(
    ImmutableArray<string> Files,
    string? ProjectName,
    string? ProjectDirectory,
    ImmutableArray<string> EnvFiles,
    ImmutableArray<string> Profiles,
    string WorkingDirectory,
    ImmutableSortedDictionary<string, string> Environment)
{
    /// <summary>
    /// Named by the command. They take part whatever their profiles are, and so does what they
    /// depend on. A name that the files do not have is not an error here.
    /// </summary>
    public ImmutableArray<string> Services { get; init; } = [];

    /// <summary>
    /// What is wrong with a text of the balancer's that has variables, null when nothing is. The
    /// balancer knows them; without this they are refused later, and without their place.
    /// </summary>
    public Func<string, string?>? ProblemOfTemplate { get; init; }
}

/// <param name="CanonicalJson">
/// The whole model, for <see cref="ComposeLoader.Bind"/>. It knows besides where it came from;
/// <see cref="CanonicalText"/> prints it as <c>docker compose config</c> does.
/// </param>
/// <param name="Warnings">For stderr, in order; each a whole sentence.</param>
public sealed record LoadedProject(
    Project Project, string CanonicalJson, ImmutableArray<string> Warnings);

/// <summary>
/// The only way from Compose files to a <see cref="Project"/>: read, interpolate, validate, merge,
/// canonical, bind once. Every phase but the last works on a tree of nodes that know their place in
/// a file.
/// </summary>
public static class ComposeLoader
{
    /// <exception cref="UserErrorException">The files are not right; nothing was done.</exception>
    public static LoadedProject Load(LoadRequest request)
    {
        Problems problems = new() { ProblemOfTemplate = request.ProblemOfTemplate };

        // (1) Find the files and the variables.
        SourceFiles source = SourceFiles.Locate(request, problems.Warn);

        // (2) Read: a file may hold several documents, each laid over the one before.
        List<Node> documents =
            DocumentReader.Read(source.Paths, request.WorkingDirectory, problems);
        string name = ProjectName.Choose(
            request.ProjectName,
            source.Variables,
            DocumentReader.NameOf(documents, source.Variables),
            source.ProjectDirectory);

        // (3) Interpolate, validate and merge; short forms become long ones.
        ImmutableSortedDictionary<string, string> variables =
            source.Variables.SetItem(ProjectName.Variable, name);
        MappingNode document = new DocumentAssembly(request.WorkingDirectory, problems)
            .Assemble(documents, source.Paths, source.ProjectDirectory, variables);

        // (4) Canonical: only what is enabled, complete and consistent.
        Canonical canonical = new(document, request, source, variables, problems);
        string json = canonical.Print(name, documents[0].Position.File);
        problems.ThrowIfAny();

        // (5) Bind.
        return new LoadedProject(Bind(json), json, [.. problems.Warnings]);
    }

    /// <summary>Binds a document that <see cref="Load"/> printed before.</summary>
    /// <exception cref="UserErrorException">Not such a document.</exception>
    public static Project Bind(string canonicalJson) => ProjectBinder.Bind(canonicalJson);
}
