using Tessera.Stack.Discovery;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// What every supervisor and instance of one engine shares. Each part is thread-safe.
/// </summary>
internal sealed class EngineParts : IDisposable
{
    public EngineParts(
        NativeEngineOptions options, Catalog catalog, DrainInstance drain, TimeProvider time)
    {
        Options = options;
        Catalog = catalog;
        Drain = drain;
        Time = time;
        Exits = new ExitWatch(options.Log);
        Logs = new LogPump(options.Log, time);
        Ports = new PortPool(PortPool.Avoid(options.Ports, PortPool.ReadEphemeralRange()));
        Starts = new SemaphoreSlim(options.MaxConcurrentStarts);
        Checks = new SemaphoreSlim(options.MaxConcurrentHealthchecks);
    }

    public NativeEngineOptions Options { get; }

    public Catalog Catalog { get; }

    public DrainInstance Drain { get; }

    public TimeProvider Time { get; }

    public ExitWatch Exits { get; }

    public LogPump Logs { get; }

    public PortPool Ports { get; }

    public ProcessScan Scan { get; } = new();

    /// <summary>Held while a process is being spawned.</summary>
    public SemaphoreSlim Starts { get; }

    /// <summary>Held while a healthcheck runs.</summary>
    public SemaphoreSlim Checks { get; }

    public string BootId { get; } = Linux.Processes.ProcessTable.ReadBootId();

    public void Dispose()
    {
        Exits.Dispose();
        Logs.Dispose();
        Starts.Dispose();
        Checks.Dispose();
    }
}
