using System.Globalization;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Health;

/// <summary>
/// The health of a backend's endpoints taken together: runs their probes, and sees to it that no
/// rule leaves too few of them. <see cref="Apply"/> and <see cref="Stop"/> are called by one thread
/// at a time, the rest by any reactor.
/// </summary>
internal sealed class BackendHealth
{
    private readonly string _name;
    private readonly Action _onChange;
    private readonly Dictionary<Endpoint, HealthProbe> _probes = [];
    private HashSet<Endpoint> _known = [];
    private Endpoint[] _active = [];
    private ErrorLog? _errorLog;
    private int _minHealthyPercent = -1;
    private int _usesAll;
    private int _evaluations;
    private int _isEjecting;
    private int _isAtCeiling;
    private int _nextShard;

    /// <param name="onChange">
    /// Told when a probe has changed its mind, and with it which endpoints may be picked. Any
    /// thread.
    /// </param>
    public BackendHealth(string name, Action onChange)
    {
        _name = name;
        _onChange = onChange;
    }

    /// <summary>So few pass their probe that all are used, whatever it says.</summary>
    public bool UsesAll => Volatile.Read(ref _usesAll) != 0;

    /// <summary>
    /// Called before requests meet the set, so that an endpoint which has to pass its first probe
    /// gets none before.
    /// </summary>
    /// <param name="shards">Run the probes; none are needed where none is configured.</param>
    public void Apply(BackendSet set, Shard[] shards)
    {
        BackendConfig config = set.Config;
        _errorLog = shards.FirstOrDefault()?.ErrorLog;
        Volatile.Write(ref _minHealthyPercent, config.Probe?.MinHealthyPercent ?? -1);
        for (int i = 0; i < set.Endpoints.Length; i++)
        {
            set.Endpoints[i].Health.Configure(
                this, config.Endpoints[i], config.Outlier, config.IsManaged);
        }

        foreach (Endpoint gone in _probes.Keys.Except(set.Endpoints).ToArray())
        {
            StopProbe(gone);
        }

        bool hasOthers = set.Endpoints.Any(e => _known.Contains(e) && !e.Health.IsFailingProbe);
        foreach (Endpoint endpoint in set.Endpoints)
        {
            bool isLate = hasOthers && !config.IsManaged && !_known.Contains(endpoint);
            ApplyProbe(endpoint, config.Probe, shards, isLate);
        }

        _known = [.. set.Endpoints];
        Volatile.Write(
            ref _active,
            Array.FindAll(
                set.Endpoints, e => e.State == EndpointState.Active && e.Weight > 0));
        Evaluate();
    }

    /// <summary>Ends all probes.</summary>
    public void Stop()
    {
        foreach (Endpoint endpoint in _probes.Keys.ToArray())
        {
            StopProbe(endpoint);
        }
    }

    /// <summary>
    /// Counts again how many pass, after one began or ceased to. Whoever comes while another is
    /// counting lets that one count once more, so the last change is never missed.
    /// </summary>
    public void Evaluate()
    {
        int seen = Interlocked.Increment(ref _evaluations);
        if (seen != 1)
        {
            return;
        }

        try
        {
            do
            {
                seen = Volatile.Read(ref _evaluations);
                CountWell();
            }
            while (Interlocked.Add(ref _evaluations, -seen) != 0);
        }
        catch
        {
            // Whoever comes next must not take this thread for still counting.
            Volatile.Write(ref _evaluations, 0);
            throw;
        }
    }

    /// <summary>
    /// Ejects an endpoint unless that would take more of the backend than it may, or the last. One
    /// at a time: another that wants to at the same moment will when it fails next.
    /// </summary>
    public void TryEject(
        EndpointHealth health, string endpoint, OutlierConfig config, string why, long nowMs)
    {
        if (Interlocked.Exchange(ref _isEjecting, 1) != 0)
        {
            return;
        }

        try
        {
            EjectWithinLimit(health, endpoint, config, why, nowMs);
        }
        finally
        {
            Volatile.Write(ref _isEjecting, 0);
        }
    }

    /// <summary>The probe of an endpoint has changed its mind.</summary>
    public void NoteProbe(string endpoint, string? failure)
    {
        Say(failure is null
            ? $"endpoint {endpoint} passes its probe"
            : $"endpoint {endpoint} fails its probe: {failure}");
        Evaluate();
        _onChange();
    }

    public void Say(string line) =>
        _errorLog?.Write(ErrorLevel.Warning, $"backend {_name}: {line}");

    private static string Seconds(long lengthMs) =>
        (lengthMs / 1_000.0).ToString("0.###", CultureInfo.InvariantCulture);

    private void EjectWithinLimit(
        EndpointHealth health, string endpoint, OutlierConfig config, string why, long nowMs)
    {
        Endpoint[] active = Volatile.Read(ref _active);
        int ejected = active.Count(e => e.Health.IsEjected(nowMs));
        int most = Math.Min(active.Length * config.MaxEjectedPercent / 100, active.Length - 1);
        if (!health.IsEjected(nowMs))
        {
            if (ejected < most)
            {
                long lengthMs = health.Eject(config, why, nowMs);
                Volatile.Write(ref _isAtCeiling, 0);
                Say($"endpoint {endpoint} is ejected for {Seconds(lengthMs)} s: {why}");
            }
            else if (Interlocked.Exchange(ref _isAtCeiling, 1) == 0)
            {
                Say($"endpoint {endpoint} would be ejected ({why}) but is kept: "
                    + $"{ejected} of {active.Length} are out already, and no more than {most} may");
            }
        }
    }

    private void CountWell()
    {
        Endpoint[] active = Volatile.Read(ref _active);
        int percent = Volatile.Read(ref _minHealthyPercent);
        int well = active.Count(e => !e.Health.IsFailingProbe);
        bool usesAll = percent >= 0
            && well < active.Length
            && (well == 0 || well * 100 < percent * active.Length);
        if (Interlocked.Exchange(ref _usesAll, usesAll ? 1 : 0) != (usesAll ? 1 : 0))
        {
            Say(usesAll
                ? $"{well} of {active.Length} endpoints pass their probe, fewer than "
                    + $"{Math.Max(percent, 1)} %: all are used"
                : $"{well} of {active.Length} endpoints pass their probe: the others are out");
            _onChange();
        }
    }

    /// <param name="isLate">
    /// It joins others that are well: those carry the traffic until it has passed.
    /// </param>
    private void ApplyProbe(
        Endpoint endpoint, HealthProbeConfig? config, Shard[] shards, bool isLate)
    {
        bool isWanted = config is not null && endpoint.State == EndpointState.Active;
        if (_probes.TryGetValue(endpoint, out HealthProbe? probe))
        {
            if (isWanted && probe.Config == config)
            {
                return;
            }

            StopProbe(endpoint);
        }

        if (!isWanted)
        {
            endpoint.Health.NoteProbePasses(Reactor.ClockMs());
            return;
        }

        if (isLate)
        {
            endpoint.Health.NoteProbeFails("it has not been asked yet");
        }

        Shard shard = shards[_nextShard++ % shards.Length];
        probe = new HealthProbe(shard, endpoint, this, config!);
        _probes.Add(endpoint, probe);
        probe.Start();
    }

    private void StopProbe(Endpoint endpoint)
    {
        _probes.Remove(endpoint, out HealthProbe? probe);
        probe?.Stop();
    }
}
