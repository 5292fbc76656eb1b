using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Shouldly;
using Tessera.EndToEnd.Nginx.Generated;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>
/// Hundreds of generated servers, on each of which both programs are asked the same: status, fields
/// in their order, body, and the line in the access log agree. <c>TESSERA_NGINX_SEED</c> takes
/// other seeds than the usual ones; a failure tells its own.
/// </summary>
public sealed partial class GeneratedAgreementTests
{
    private const string SeedVariable = "TESSERA_NGINX_SEED";
    private const int Pairs = 3;
    private const int Servers = 75;
    private const int ConnectionsOfServer = 4;
    private const int MaxTold = 100;
    private static readonly TimeSpan MaxApart = TimeSpan.FromSeconds(2);

    [Fact]
    public async Task Generated_servers_answer_alike()
    {
        int first = int.Parse(
            Environment.GetEnvironmentVariable(SeedVariable) ?? "1", CultureInfo.InvariantCulture);
        var told = new StringBuilder();
        for (int seed = first; seed < first + Pairs; seed++)
        {
            List<Disagreement> differences = await CompareAsync(seed);
            told.Append(differences.Count == 0 ? "" : Tell(seed, differences));
        }

        told.Length.ShouldBe(0, told.ToString());
    }

    private static async Task<List<Disagreement>> CompareAsync(int seed)
    {
        var configuration = GeneratedConfiguration.Of(seed, Servers);
        await using NginxPair pair = await NginxPair.StartAsync(
            configuration.Text, GeneratedConfiguration.Files);
        var origins = new List<Origin>();
        try
        {
            for (int i = 0; i < GeneratedConfiguration.Origins; i++)
            {
                int number = i;
                origins.Add(new Origin(
                    pair.Nginx.Port(i + 1), text => ScriptedAnswers.Of(text, number)));
                origins.Add(new Origin(
                    pair.Tessera.Port(i + 1), text => ScriptedAnswers.Of(text, number)));
            }

            return await AskAllAsync(pair, configuration, seed);
        }
        finally
        {
            foreach (Origin origin in origins)
            {
                await origin.DisposeAsync();
            }
        }
    }

    private static async Task<List<Disagreement>> AskAllAsync(
        NginxPair pair, GeneratedConfiguration configuration, int seed)
    {
        var dice = new Dice(~seed);
        var differences = new List<Disagreement>();
        var requests = new Dictionary<string, (int Server, string Request)>();
        for (int server = 0; server < Servers; server++)
        {
            for (int i = 0; i < ConnectionsOfServer; i++)
            {
                string id = $"{server}-{i}";
                string request = GeneratedRequests.Of(dice, server, id);
                requests[id] = (server, request);
                (string nginx, string tessera) = await pair.AskBothAsync(request);
                nginx = WithoutChunks(nginx);
                tessera = WithSameDates(nginx, WithoutChunks(tessera));
                if (nginx != tessera)
                {
                    differences.Add(
                        new(configuration.Servers[server], request, nginx, tessera));
                }
            }
        }

        await pair.Nginx.SignalAsync("QUIT");
        await pair.Tessera.SignalAsync("QUIT");
        await pair.Nginx.WaitAsync();
        await pair.Tessera.WaitAsync();
        ILookup<string, string> told = LinesOf(pair.Nginx);
        ILookup<string, string> toldHere = LinesOf(pair.Tessera);
        foreach ((string id, (int server, string request)) in requests)
        {
            string nginx = string.Join('\n', told[id]);
            string tessera = WithSameDates(nginx, string.Join('\n', toldHere[id]));
            if (nginx != tessera)
            {
                differences.Add(new(configuration.Servers[server], request, nginx, tessera));
            }
        }

        return [.. differences.Where(difference => !KnownDifferences.Explain(difference))];
    }

    /// <summary>
    /// How a body is cut into chunks is not part of the answer: nginx makes them anew, and here
    /// those of a backend are passed on.
    /// </summary>
    private static string WithoutChunks(string answer) => answer.Contains(
        "\r\nTransfer-Encoding: chunked\r\n", StringComparison.Ordinal)
            ? ChunkHead().Replace(answer, "")
            : answer;

    /// <summary>
    /// Dates that are made of the clock differ by a second where it has moved on between the two
    /// programs: those that are that close are nginx's.
    /// </summary>
    private static string WithSameDates(string nginx, string tessera)
    {
        MatchCollection told = Date().Matches(nginx);
        int next = 0;
        return Date().Count(tessera) != told.Count
            ? tessera
            : Date().Replace(tessera, match =>
            {
                string expected = told[next++].Value;
                return (DateOf(match.Value) - DateOf(expected)).Duration() <= MaxApart
                    ? expected
                    : match.Value;
            });
    }

    private static DateTime DateOf(string text) =>
        DateTime.ParseExact(text, "R", CultureInfo.InvariantCulture);

    /// <summary>By the connection that the request says it is of.</summary>
    private static ILookup<string, string> LinesOf(NginxServer server) =>
        server.Normalize(server.ReadFile("logs/all.log")).Split('\n')
            .ToLookup(line => Id().Match(line).Groups[1].Value);

    private static string Tell(int seed, List<Disagreement> differences)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture,
            $"{differences.Count} differences; again with {SeedVariable}={seed}\n");
        foreach (Disagreement difference in differences.Take(MaxTold))
        {
            text.Append(CultureInfo.InvariantCulture,
                $"=== {difference.Request}\n--- on {difference.Server}\n")
                .Append(Compare(difference.Nginx, difference.Tessera));
        }

        return text.ToString();
    }

    /// <summary>Lines, or fields of the log's line, that one has and the other has not.</summary>
    private static string Compare(string nginx, string tessera)
    {
        char end = nginx.Contains('\t', StringComparison.Ordinal) ? '\t' : '\n';
        string[] expected = nginx.Split(end);
        string[] actual = tessera.Split(end);
        IEnumerable<string> lines = expected.Length == actual.Length
            ? expected.Zip(actual).Select((pair, i) => (pair.First, pair.Second, i))
                .Where(line => line.First != line.Second)
                .Select(line => $"{line.i}: nginx {line.First}\n{line.i}: tessera {line.Second}\n")
            : [$"<<< nginx\n{nginx}\n>>> tessera\n{tessera}\n"];
        return string.Concat(lines);
    }

    [GeneratedRegex("(?m)(?:^|\r\n)[0-9a-f]+(?:;[a-z]+)?\r\n")]
    private static partial Regex ChunkHead();

    [GeneratedRegex("[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} GMT")]
    private static partial Regex Date();

    [GeneratedRegex("^([0-9]+-[0-9]+)-")]
    private static partial Regex Id();
}
