using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using Tessera.Bench.Load;
using Tessera.Proxy;
using Tessera.Proxy.Reactors;

namespace Tessera.Bench.Peers;

/// <summary>
/// "peers": starts the proxies, puts them under load in turn, and reports. Runs on the main thread;
/// backend and load generator share one reactor, because two threads on one core would spend their
/// time on switching to each other, and the core of the proxy is the one to saturate.
/// </summary>
internal sealed class PeersCommand : IDisposable
{
    /// <summary>So that the runtimes have compiled what is hot before anything counts.</summary>
    private const int FirstWarmUpMs = 5_000;

    private const int WarmUpMs = 500;

    private readonly PeersOptions _options;
    private readonly CancellationToken _cancellation;
    private readonly string _folder = Directory.CreateTempSubdirectory("tessera-bench-").FullName;
    private readonly Reactor _reactor;
    private readonly LoadGenerator _load;
    private readonly List<Peer> _peers = [];
    private readonly List<Measurement> _measurements = [];

    private PeersCommand(PeersOptions options, CancellationToken cancellation)
    {
        _options = options;
        _cancellation = cancellation;
        var buffers = new BufferPool(32 * 1_024, 256 * 1_024);
        _reactor = new Reactor(
            "load",
            new SpinningPoller(new EpollPoller(buffers)),
            buffers,
            fault => Console.Error.WriteLine(fault));
        _reactor.Start();
        _load = new LoadGenerator(_reactor);
        var backend = new CannedBackend(_reactor);
        _peers.AddRange(options.Peers.Select(name => Create(name, backend.EndPoint)));
    }

    /// <summary>0, 1 after a failure, 2 for wrong arguments, 130 when interrupted.</summary>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        using var cancellation = new CancellationTokenSource();
        using PosixSignalRegistration interrupt = CancelOn(PosixSignal.SIGINT, cancellation);
        using PosixSignalRegistration terminate = CancelOn(PosixSignal.SIGTERM, cancellation);
        using PosixSignalRegistration hangUp = CancelOn(PosixSignal.SIGHUP, cancellation);
        try
        {
            PeersOptions options = PeersOptions.Parse(arguments);
            if (options.IsHelp)
            {
                Console.WriteLine(PeersOptions.Help);
                return 0;
            }

            using var command = new PeersCommand(options, cancellation.Token);
            command.Execute();
            return 0;
        }
        catch (FormatException exception)
        {
            Console.Error.WriteLine($"{exception.Message} See --help.");
            return 2;
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("Interrupted.");
            return 130;
        }
        catch (Exception exception)
            when (exception is InvalidOperationException or TimeoutException)
        {
            Console.Error.WriteLine(exception.Message);
            return 1;
        }
    }

    public void Dispose()
    {
        foreach (Peer peer in _peers)
        {
            peer.Dispose();
        }

        _reactor.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static PosixSignalRegistration CancelOn(
        PosixSignal signal, CancellationTokenSource cancellation) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            cancellation.Cancel();
        });

    private Peer Create(string name, IPEndPoint backend) => name switch
    {
        "nginx" => new NginxPeer(name, "", _folder, backend),
        "nginx-buffered" => new NginxPeer(name, "buffer=64k flush=1s", _folder, backend),
        "haproxy" => new HaproxyPeer(_folder, backend),
        "tessera" => new TesseraPeer(_folder, backend, PollerKind.Epoll),
        "tessera-uring" => new TesseraPeer(_folder, backend, PollerKind.IoUring),
        _ => throw new InvalidOperationException($"{name} is not a peer."),
    };

    private void Execute()
    {
        foreach (Peer peer in _peers)
        {
            peer.Start();
            PutUnderLoad(peer, new Scenario(64, CannedReplies.SmallBodyBytes), FirstWarmUpMs);
            _load.Stop();
        }

        foreach (Scenario scenario in _options.Scenarios)
        {
            for (int round = 0; round < _options.Rounds; round++)
            {
                // Each round begins with another peer, so that none always comes after the same.
                for (int i = 0; i < _peers.Count; i++)
                {
                    Measure(_peers[(round + i) % _peers.Count], scenario, round + 1);
                }
            }
        }

        string table = new PeersReport(_measurements, _options.Peers[0]).Table();
        Console.WriteLine(table);
        if (_options.Record is { } path)
        {
            File.WriteAllText(path, Header() + table);
        }
    }

    private void PutUnderLoad(Peer peer, Scenario scenario, int milliseconds)
    {
        _load.Start(
            peer.EndPoint, scenario.Connections, CannedReplies.Request(scenario.BodyBytes));
        Sleep(milliseconds);
    }

    private void Measure(Peer peer, Scenario scenario, int round)
    {
        peer.TruncateLog();
        long logBytes = peer.LoggedBytes();
        PutUnderLoad(peer, scenario, WarmUpMs);

        ProcessUsage before = peer.Usage();
        _load.BeginMeasuring();
        Sleep((int)(_options.Seconds * 1_000));
        LoadSample sample = _load.EndMeasuring();
        ProcessUsage after = peer.Usage();

        _load.Stop();
        var one = new Measurement(
            peer.Name,
            scenario,
            round,
            sample,
            after.Cpu - before.Cpu,
            after.ResidentBytes,
            peer.LoggedBytes() - logBytes);
        _measurements.Add(one);
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{scenario.Connections,5} x {scenario.BodyText,-6} round {round}: {peer.Name,-14} "
            + $"{sample.RequestsPerSecond,7:F0} requests/s {one.CpuMicroseconds,5:F1} µs/request"));
    }

    private void Sleep(int milliseconds)
    {
        _cancellation.WaitHandle.WaitOne(milliseconds);
        _cancellation.ThrowIfCancellationRequested();
    }

    private string Header()
    {
        string model = File.ReadLines("/proc/cpuinfo")
            .FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))
            ?.Split(": ")[1] ?? RuntimeInformation.ProcessArchitecture.ToString();
        string kernel = File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
        IEnumerable<string> versions = _peers.Select(peer => peer.Version).Distinct();
        string date = DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        return
            $"""
            # Tessera beside its peers

            Written by `bench/peers/run --record` on {date}, on {model}, Linux {kernel}:
            {string.Join(", ", versions)}.

            Each proxy has one worker, thread or reactor, pinned to core 0, an access log that is
            written to a file, and its time-outs on; `nginx-buffered` is nginx with
            `access_log … buffer=64k flush=1s`. The backend and the load generator share core 1 and
            send one GET after the other on each keep-alive connection, without ever sleeping.
            {_options.Rounds} rounds of {_options.Seconds} s each, interleaved. CPU is user and
            system time of the proxy's processes.


            """;
    }
}
