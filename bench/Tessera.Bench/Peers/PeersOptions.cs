using System.Globalization;
using Tessera.Bench.Load;

namespace Tessera.Bench.Peers;

/// <summary>How many keep-alive connections ask for a body of which size.</summary>
internal sealed record Scenario(int Connections, int BodyBytes)
{
    public string BodyText =>
        BodyBytes < 1_024 ? $"{BodyBytes} B" : $"{BodyBytes / 1_024} KiB";
}

/// <summary>What "peers" is asked to measure.</summary>
internal sealed record PeersOptions
{
    public const string Help =
        """
        Usage: bench/peers/run [options]

        Measures nginx (one worker), HAProxy (one thread) and Tessera (one reactor) on core 0 in
        interleaved rounds; the backend and the load generator share core 1.

          --quick              64 and 2000 connections, 3 rounds of 2 seconds
          --rounds N           rounds of each scenario (5)
          --seconds S          measured seconds of each round, after a warm-up (4)
          --connections A,B    numbers of connections (1,16,64,512,2000)
          --body BYTES         45 or 65536 (45, and 65536 at 64 connections)
          --peers A,B          of nginx, nginx-buffered, haproxy, tessera, tessera-uring; ratios
                               are to the first
          --record FILE        write the report to FILE as well (the script fills in FILE)
        """;

    private static readonly int[] AllConnections = [1, 16, 64, 512, 2_000];

    private static readonly string[] AllPeers =
        ["nginx", "nginx-buffered", "haproxy", "tessera", "tessera-uring"];

    public int Rounds { get; private init; } = 5;

    public double Seconds { get; private init; } = 4;

    public IReadOnlyList<Scenario> Scenarios { get; private init; } =
    [
        .. AllConnections.Select(count => new Scenario(count, CannedReplies.SmallBodyBytes)),
        new Scenario(64, CannedReplies.LargeBodyBytes),
    ];

    public IReadOnlyList<string> Peers { get; private init; } = AllPeers;

    /// <summary>File that gets the report; null for none.</summary>
    public string? Record { get; private init; }

    public bool IsHelp { get; private init; }

    /// <exception cref="FormatException">An argument makes no sense.</exception>
    public static PeersOptions Parse(ReadOnlySpan<string> arguments)
    {
        var options = new PeersOptions();
        int[]? connections = null;
        int? body = null;
        for (int i = 0; i < arguments.Length; i++)
        {
            string name = arguments[i];
            if (name is "--help" or "-h")
            {
                return options with { IsHelp = true };
            }

            if (name == "--quick")
            {
                options = options with { Rounds = 3, Seconds = 2 };
                connections ??= [64, 2_000];
                body ??= CannedReplies.SmallBodyBytes;
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
                case "--connections":
                    connections = [.. value.Split(',').Select(n => Number(name, n, 1, 8_000))];
                    break;
                case "--body":
                    body = Number(name, value, 1, int.MaxValue);
                    break;
                case "--peers":
                    options = options with { Peers = PeerNames(value) };
                    break;
                case "--record":
                    options = options with { Record = value };
                    break;
                default:
                    throw new FormatException($"{name} is unknown.");
            }
        }

        return body is not (null or CannedReplies.SmallBodyBytes or CannedReplies.LargeBodyBytes)
            ? throw new FormatException("--body is 45 or 65536.")
            : options.With(connections, body);
    }

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

    private PeersOptions With(int[]? connections, int? body) =>
        connections is null && body is null
            ? this
            : this with
            {
                Scenarios =
                [
                    .. (connections ?? AllConnections).Select(
                        count => new Scenario(count, body ?? CannedReplies.SmallBodyBytes)),
                ],
            };
}
