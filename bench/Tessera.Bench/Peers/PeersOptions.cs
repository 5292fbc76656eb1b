using System.Globalization;

namespace Tessera.Bench.Peers;

/// <summary>What "peers" is asked to measure.</summary>
internal sealed record PeersOptions
{
    public const string Help =
        """
        Usage: bench/peers/run [options]

        Measures nginx (one worker), HAProxy (one thread) and Tessera (one reactor) on core 0 in
        interleaved rounds; the backend and the load generator share core 1.

          --quick              small-64 and small-2000, 3 rounds of 2 seconds
          --rounds N           rounds of each scenario (5)
          --seconds S          measured seconds of each round, after a warm-up (3)
          --scenarios A,B      of small-1, small-16, small-64, small-512, small-2000 (replies of
                               45 bytes on as many connections), 1k, 64k, 1m (replies), connect (a
                               connection for each request), file-4k, file-100m, idle-10000
          --peers A,B          of nginx, nginx-tuned, haproxy, haproxy-tuned, tessera,
                               tessera-uring (all but the last); ratios are to the first
          --record FILE        write the report to FILE as well (the script fills in FILE)
          --check FILE         compare with the ratios in FILE (the script fills in FILE): exit
                               code 3 when Tessera lost more than 10 % somewhere
        """;

    private static readonly string[] AllPeers =
        ["nginx", "nginx-tuned", "haproxy", "haproxy-tuned", "tessera", "tessera-uring"];

    public int Rounds { get; private init; } = 5;

    public double Seconds { get; private init; } = 3;

    public IReadOnlyList<Scenario> Scenarios { get; private init; } = Scenario.All;

    public IReadOnlyList<string> Peers { get; private init; } = AllPeers[..^1];

    /// <summary>File that gets the report; null for none.</summary>
    public string? Record { get; private init; }

    /// <summary>File with the report to compare with; null for none.</summary>
    public string? Check { get; private init; }

    public bool IsHelp { get; private init; }

    /// <exception cref="FormatException">An argument makes no sense.</exception>
    public static PeersOptions Parse(ReadOnlySpan<string> arguments)
    {
        var options = new PeersOptions();
        for (int i = 0; i < arguments.Length; i++)
        {
            string name = arguments[i];
            if (name is "--help" or "-h")
            {
                return options with { IsHelp = true };
            }

            if (name == "--quick")
            {
                options = options with
                {
                    Rounds = 3, Seconds = 2, Scenarios = Named("small-64,small-2000"),
                };
                continue;
            }

            if (++i == arguments.Length)
            {
                throw new FormatException($"{name} is unknown or lacks its value.");
            }

            string value = arguments[i];
            switch (name)
            {
                case "--rounds":
                    options = options with { Rounds = Number(name, value, 1, 100) };
                    break;
                case "--seconds":
                    options = options with { Seconds = Number(name, value, 1, 60) };
                    break;
                case "--scenarios":
                    options = options with { Scenarios = Named(value) };
                    break;
                case "--peers":
                    options = options with { Peers = PeerNames(value) };
                    break;
                case "--record":
                    options = options with { Record = value };
                    break;
                case "--check":
                    options = options with { Check = value };
                    break;
                default:
                    throw new FormatException($"{name} is unknown.");
            }
        }

        return options;
    }

    private static Scenario[] Named(string text) =>
    [
        .. text.Split(',').Distinct().Select(name =>
            Scenario.All.FirstOrDefault(scenario => scenario.Name == name)
                ?? throw new FormatException($"--scenarios: {name} is none of them.")),
    ];

    private static int Number(string name, string text, int least, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
        && number >= least && number <= most
            ? number
            : throw new FormatException($"{name} takes numbers from {least} to {most}.");

    private static string[] PeerNames(string text)
    {
        string[] names = [.. text.Split(',').Distinct()];
        return names.Except(AllPeers).FirstOrDefault() is { } unknown
            ? throw new FormatException($"--peers: {unknown} is none of them.")
            : names;
    }
}
