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
    private const int FirstWarmUpMs = 15_000;

    /// <summary>The same for what a scenario alone needs, in its first round.</summary>
    private const int ScenarioWarmUpMs = 2_000;

    private const int WarmUpMs = 500;

    /// <summary>
    /// A measurement is made again when the machine's host gave more of its time to others.
    /// </summary>
    private const double MaxStolenShare = 0.02;

    /// <summary>Of one measurement; the least disturbed one counts then.</summary>
    private const int MaxRepeats = 5;

    /// <summary>Until what disturbs may be over.</summary>
    private const int RepeatPauseMs = 1_000;

    private readonly PeersOptions _options;
    private readonly CancellationToken _cancellation;
    private readonly string _folder = Directory.CreateTempSubdirectory("tessera-bench-").FullName;
    private readonly string _files;
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
            mayAsk: false,
            fault => Console.Error.WriteLine(fault));
        _reactor.Start();
        _load = new LoadGenerator(_reactor);
        var backend = new CannedBackend(_reactor);
        _files = CreateFiles(options.Scenarios);
        _peers.AddRange(options.Peers.Select(name => Create(name, backend.EndPoint)));
    }

    /// <summary>
    /// 0, 1 after a failure, 2 for wrong arguments, 3 after a loss, 130 when interrupted.
    /// </summary>
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
            return command.Execute();
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
        "nginx" => new NginxPeer(name, isTuned: false, _folder, backend, _files),
        "nginx-tuned" => new NginxPeer(name, isTuned: true, _folder, backend, _files),
        "haproxy" => new HaproxyPeer(name, isTuned: false, _folder, backend),
        "haproxy-tuned" => new HaproxyPeer(name, isTuned: true, _folder, backend),
        "tessera" => new TesseraPeer(_folder, backend, _files, PollerKind.Epoll),
        "tessera-uring" => new TesseraPeer(_folder, backend, _files, PollerKind.IoUring),
        _ => throw new InvalidOperationException($"{name} is not a peer."),
    };

    /// <summary>0, or 3 when something got slower than it was recorded.</summary>
    private int Execute()
    {
        _peers.ForEach(StartWarm);
        foreach (Scenario scenario in _options.Scenarios)
        {
            Peer[] peers = [.. _peers.Where(peer => peer.CanTake(scenario))];
            for (int round = 0; round < _options.Rounds; round++)
            {
                // Each round begins with another peer, so that none always comes after the same.
                for (int i = 0; i < peers.Length; i++)
                {
                    MeasureUndisturbed(
                        peers[(round + i) % peers.Length], scenario, round + 1);
                }
            }
        }

        var report = new PeersReport(_measurements, _options.Peers[0]);
        string[] losses = _options.Check is { } recorded
            ? [.. report.LossesSince(File.ReadAllLines(recorded))]
            : [];
        string table = report.Table();
        Console.WriteLine(table);
        if (_options.Record is { } path)
        {
            File.WriteAllText(path, Header() + table);
        }

        Array.ForEach(losses, Console.WriteLine);
        return losses.Length == 0 ? 0 : 3;
    }

    private void StartWarm(Peer peer)
    {
        peer.Start();
        PutUnderLoad(peer, Scenario.WarmUp, FirstWarmUpMs);
        _load.Stop();
    }

    /// <summary>The files that scenarios ask for, in a folder that everyone may read.</summary>
    private string CreateFiles(IEnumerable<Scenario> scenarios)
    {
        File.SetUnixFileMode(
            _folder, File.GetUnixFileMode(_folder) | UnixFileMode.OtherRead
                | UnixFileMode.OtherExecute);
        string folder = Directory.CreateDirectory(Path.Combine(_folder, "files")).FullName;
        foreach (Scenario scenario in scenarios.Where(one => one.Kind == LoadKind.File))
        {
            byte[] text = new byte[scenario.BodyBytes];
            text.AsSpan().Fill((byte)'x');
            File.WriteAllBytes(Path.Combine(folder, scenario.FileName), text);
        }

        return folder;
    }

    private void PutUnderLoad(Peer peer, Scenario scenario, int milliseconds)
    {
        if (scenario.Kind == LoadKind.Idle)
        {
            _load.StartIdle(peer.EndPoint, scenario.Connections, scenario.Request());
        }
        else
        {
            _load.Start(peer.EndPoint, scenario.Connections, scenario.Request());
        }

        Sleep(milliseconds);
    }

    private void MeasureUndisturbed(Peer peer, Scenario scenario, int round)
    {
        Measurement one = Measure(peer, scenario, round);
        for (int i = 0; i < MaxRepeats && one.StolenShare > MaxStolenShare; i++)
        {
            Sleep(RepeatPauseMs);
            Measurement again = Measure(peer, scenario, round);
            one = again.StolenShare < one.StolenShare ? again : one;
        }

        _measurements.Add(one);
    }

    private Measurement Measure(Peer peer, Scenario scenario, int round)
    {
        if (scenario.Kind == LoadKind.Idle)
        {
            // Memory that an earlier round has left behind would be used again, and what the
            // runtime still compiles would count.
            peer.Dispose();
            StartWarm(peer);
        }

        peer.TruncateLog();
        long logBytes = peer.LoggedBytes();
        long residentBytes = peer.Usage().ResidentBytes;
        PutUnderLoad(peer, scenario, round == 1 ? ScenarioWarmUpMs : WarmUpMs);

        ProcessUsage before = peer.Usage();
        var stolen = new StolenTime();
        _load.BeginMeasuring();
        Sleep((int)(_options.Seconds * 1_000));
        LoadSample sample = _load.EndMeasuring();
        double stolenShare = stolen.Share();
        ProcessUsage after = peer.Usage();

        _load.Stop();
        var one = new Measurement(
            peer.Name,
            scenario,
            round,
            sample,
            after.Cpu - before.Cpu,
            after.ResidentBytes,
            after.ResidentBytes - residentBytes,
            peer.LoggedBytes() - logBytes,
            scenario.Kind == LoadKind.Idle ? 0 : stolenShare);
        string result = scenario.Kind == LoadKind.Idle
            ? $"{one.BytesPerConnection,7:F0} bytes/connection"
            : $"{sample.RequestsPerSecond,7:F0} requests/s {one.CpuMicroseconds,5:F1} µs/request";
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{scenario.Name,-10} round {round}: {peer.Name,-14} {result} "
            + $"({one.StolenShare * 100:F1} % stolen)"));
        return one;
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
            written to a file, and its time-outs on. `nginx` and `haproxy` are as Debian has them;
            `nginx-tuned` has `access_log … buffer=64k flush=1s`, `proxy_buffers 16 64k`, no
            temporary files, `keepalive 4096` and an `open_file_cache`; `haproxy-tuned` has buffers
            of 64 KiB and `splice-auto`. The backend and the load generator share core 1 and never
            sleep: small-N sends one GET after the other on N keep-alive connections for a reply of
            45 bytes, 1k, 64k (64 connections) and 1m (16) for longer ones; connect opens a
            connection for each of 64 requests at a time; file-4k (64) and file-100m (4) are files
            of the proxy; idle-10000 is by how much the resident set of a fresh process grows with
            10,000 connections that have asked once, one after the other. "best" is the ratio to
            the best of the others in the same round.
            {_options.Rounds} rounds of {_options.Seconds} s each, interleaved. CPU is user and
            system time of the proxy's processes. A measurement during which the host of this
            machine gave more than {MaxStolenShare * 100:0} % of its time to others was made again,
            at most {MaxRepeats} times; what stayed disturbed is told below the table.


            """;
    }
}
