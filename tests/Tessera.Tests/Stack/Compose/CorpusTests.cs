using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Shouldly;
using Tessera.Stack.Compose;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

/// <summary>
/// Real Compose files against what Docker Compose prints for them. The files lie beside the
/// repository, in <c>shared/corpus</c>; where they are not, there is nothing to test.
/// </summary>
public sealed class CorpusTests
{
    /// <summary>How many match; may rise, never fall.</summary>
    private const int Matching = 39;

    [Fact]
    public void Canonical_documents_are_those_of_compose()
    {
        string? corpus = FindCorpus();
        if (corpus is null)
        {
            TestContext.Current.TestOutputHelper?.WriteLine("shared/corpus is not here");
            return;
        }

        int matching = 0;
        List<string> others = [];
        foreach (string golden in Directory.EnumerateFiles(
            corpus, "*.golden.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            string? difference = Compare(golden);
            if (difference is null)
            {
                matching++;
            }
            else
            {
                others.Add($"{Path.GetFileName(Path.GetDirectoryName(golden))}: {difference}");
            }
        }

        foreach (string other in others)
        {
            TestContext.Current.TestOutputHelper?.WriteLine(other);
        }

        matching.ShouldBeGreaterThanOrEqualTo(Matching, string.Join('\n', others));
    }

    /// <returns>Null when equal, else what is not.</returns>
    private static string? Compare(string golden)
    {
        string folder = Path.GetDirectoryName(golden)!;
        string file = golden[..^".golden.json".Length];
        LoadedProject loaded;
        try
        {
            loaded = ComposeLoader.Load(new LoadRequest(
                [], null, null, [], [], folder,
                ImmutableSortedDictionary<string, string>.Empty.Add("HOME", "/root")));
        }
        catch (Tessera.Stack.UserErrorException problem)
        {
            return problem.Message;
        }

        string errors = file + ".err";
        bool warns = loaded.Warnings.Any(
            warning => warning.Contains("obsolete", StringComparison.Ordinal));
        if (File.Exists(errors) != warns)
        {
            return "the warning of an obsolete version";
        }

        JsonNode expected = JsonNode.Parse(
            File.ReadAllText(golden).Replace("@DIR@", folder, StringComparison.Ordinal))!;
        JsonNode actual = JsonNode.Parse(CanonicalText.Json(loaded.CanonicalJson))!;
        return JsonNode.DeepEquals(actual, expected) ? null : Difference(actual, expected, "");
    }

    private static string Difference(JsonNode? actual, JsonNode? expected, string path)
    {
        if (actual is JsonObject left && expected is JsonObject right)
        {
            string key = left.Select(pair => pair.Key).Union(right.Select(pair => pair.Key))
                .First(name => !JsonNode.DeepEquals(left[name], right[name])
                    || left.ContainsKey(name) != right.ContainsKey(name));
            return Difference(left[key], right[key], $"{path}.{key}");
        }

        return $"{path} is {actual?.ToJsonString()}, not {expected?.ToJsonString()}";
    }

    private static string? FindCorpus()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        for (; folder is not null; folder = folder.Parent)
        {
            string corpus = Path.Combine(folder.FullName, "shared", "corpus", "compose");
            if (Directory.Exists(corpus))
            {
                return corpus;
            }
        }

        return null;
    }
}
