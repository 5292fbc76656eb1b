using Tessera.Bench;
using Tessera.Bench.Fuzz;
using Tessera.Bench.Peers;

return args switch
{
    ["peers", ..] => PeersCommand.Run(args.AsSpan(1)),
    ["serve", _, _, _, _, _] => ServeCommand.Run(args.AsSpan(1)),
    ["fuzz", _, _] or ["fuzz", _, _, _] => FuzzCommand.Run(args.AsSpan(1)),
    ["parse"] => ParseCommand.Run(),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine(
        """
        Usage: Tessera.Bench peers [options]              measure beside nginx and HAProxy
               Tessera.Bench fuzz SEEDS SECONDS [SEED]    damage the parsers' input
               Tessera.Bench parse                        measure the HTTP parsers
               Tessera.Bench serve LISTEN BACKEND LOG FILES POLLER  host the proxy

        Run 'Tessera.Bench peers --help' for its options.
        """);
    return 2;
}
