using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using Tessera.Metrics;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Traces;

namespace Tessera.Daemon;

/// <summary>
/// The composition root: one daemon per state folder, with every part of it made here or in its
/// <see cref="ControlPlane"/>. It adopts what an earlier daemon left running, or is handed it,
/// before it answers its first command.
/// </summary>
internal static class Daemon
{
    /// <summary>Sampled traces that may wait for the collector.</summary>
    private const int MaxQueuedTraces = 4_096;

    /// <param name="onDemand">Started by a command: ends by itself when no project is left.</param>
    /// <param name="replaces">
    /// Takes over from the daemon that runs, if one does, which then finishes its connections.
    /// </param>
    /// <returns>An exit code: 0 after an orderly end.</returns>
    public static async Task<int> RunAsync(
        TesseraHome home, bool onDemand, bool replaces, CancellationToken cancellation)
    {
        Directory.CreateDirectory(home.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite
            | UnixFileMode.UserExecute);
        await using Predecessor? predecessor = replaces
            ? await Predecessor.FindAsync(home, cancellation)
            : null;
        DaemonLock? own = predecessor is null ? DaemonLock.Take(home) : null;
        await using var log = new DaemonLog(home, isFile: onDemand);
        TraceSettings? tracing = TraceSettings.Read(Environment.GetEnvironmentVariable);
        IPEndPoint? metrics = MetricsServer.ReadAddress();
        ProxyOptions options = ReadOptions(log.Write) with
        {
            ErrorLevel = ReadErrorLevel(),
            Traces = tracing is null ? null : new TraceQueue(tracing.Ratio, MaxQueuedTraces),
        };
        await using TraceExporter? exporter = tracing is null
            ? null
            : new TraceExporter(tracing, options.Traces!, log.Write, TimeProvider.System);
        TimeSpan lingerLimit = ReadLingerLimit();
        await using var proxy = new ProxyServer(options);
        using var reopening = new LogReopening(proxy, log);
        using DaemonLock held = own ?? await InheritAsync(home, predecessor!, proxy, cancellation);
        var parts = new DaemonParts(
            home, onDemand, options, proxy, held, log, DateTimeOffset.UtcNow, metrics);
        using var signals = new ShutdownSignals();
        using HandoverChannel? successor =
            await RunPlanesAsync(parts, predecessor, signals, cancellation);
        if (successor is not null)
        {
            using IDisposable reaping = Lingering.ReapChildren();
            await Lingering.RunAsync(proxy, successor, lingerLimit, log.Write, signals.Token);
        }

        return ExitCode.Ok;
    }

    /// <summary>
    /// One control plane, and another one for each hand-over that failed half-way. Returns the
    /// successor, if one has everything now.
    /// </summary>
    private static async Task<HandoverChannel?> RunPlanesAsync(
        DaemonParts parts, Predecessor? predecessor, ShutdownSignals signals,
        CancellationToken cancellation)
    {
        while (true)
        {
            await using var plane = new ControlPlane(parts);
            signals.Pass(plane.Stop);
            PlaneEnd end = await plane.RunAsync(predecessor, cancellation);
            signals.Hold();
            if (end != PlaneEnd.TakenBack)
            {
                return plane.Successor;
            }

            predecessor = null;
        }
    }

    private static async Task<DaemonLock> InheritAsync(
        TesseraHome home, Predecessor predecessor, ProxyServer proxy,
        CancellationToken cancellation)
    {
        Inheritance inheritance = await predecessor.ReceiveAsync(cancellation);
        proxy.Inherit(inheritance.Listeners);
        return inheritance.Lock is int descriptor
            ? DaemonLock.Inherit(home, descriptor)
            : DaemonLock.Take(home);
    }

    private static ProxyOptions ReadOptions(Action<string> log)
    {
        var options = new ProxyOptions
        {
            ErrorLog = log,
            Poller = ReadPoller(),
            BusyPolling = ReadBusyPolling(),
        };
        string? reactors = Environment.GetEnvironmentVariable("TESSERA_REACTORS");
        if (string.IsNullOrEmpty(reactors))
        {
            return options;
        }

        return int.TryParse(reactors, CultureInfo.InvariantCulture, out int count)
            && count is >= 1 and <= 256
            ? options with { Reactors = count }
            : throw new UserErrorException(
                $"TESSERA_REACTORS is \"{reactors}\"; give a number from 1 to 256");
    }

    private static bool ReadBusyPolling() =>
        Environment.GetEnvironmentVariable("TESSERA_BUSY_POLLING") switch
        {
            null or "" or "on" => true,
            "off" => false,
            string other => throw new UserErrorException(
                $"TESSERA_BUSY_POLLING is \"{other}\"; give on or off"),
        };

    private static PollerKind ReadPoller() =>
        Environment.GetEnvironmentVariable("TESSERA_POLLER") switch
        {
            null or "" or "auto" => PollerKind.Auto,
            "epoll" => PollerKind.Epoll,
            "io_uring" => PollerKind.IoUring,
            string other => throw new UserErrorException(
                $"TESSERA_POLLER is \"{other}\"; give epoll, io_uring or auto"),
        };
    private static ErrorLevel ReadErrorLevel()
    {
        string? text = Environment.GetEnvironmentVariable("TESSERA_LOG_LEVEL");
        return text switch
        {
            null or "" or "warn" => ErrorLevel.Warning,
            "error" => ErrorLevel.Error,
            "notice" => ErrorLevel.Notice,
            _ => throw new UserErrorException(
                $"TESSERA_LOG_LEVEL is \"{text}\"; give error, warn or notice"),
        };
    }

    private static TimeSpan ReadLingerLimit()
    {
        string? text = Environment.GetEnvironmentVariable("TESSERA_LINGER_SECONDS");
        if (string.IsNullOrEmpty(text))
        {
            return Lingering.DefaultLimit;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds)
            ? TimeSpan.FromSeconds(seconds)
            : throw new UserErrorException(
                $"TESSERA_LINGER_SECONDS is \"{text}\"; give a number of seconds");
    }

    /// <summary>
    /// SIGTERM and SIGINT end the daemon as <c>daemon stop</c> does; the second one ends it at once
    /// and leaves what still runs to the next daemon. One that comes between two control planes is
    /// kept for the next. Safe from any thread.
    /// </summary>
    private sealed class ShutdownSignals : IDisposable
    {
        private readonly Lock _lock = new();
        private readonly CancellationTokenSource _any = new();
        private readonly ImmutableArray<PosixSignalRegistration> _registrations;
        private Action<bool>? _stop;
        private int _count;

        public ShutdownSignals() =>
            _registrations = [.. new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT }
                .Select(signal => PosixSignalRegistration.Create(signal, OnSignal))];

        /// <summary>Cancelled with the first signal.</summary>
        public CancellationToken Token => _any.Token;

        /// <summary>Signals go to <paramref name="stop"/>; true says it is not the first.</summary>
        public void Pass(Action<bool> stop)
        {
            lock (_lock)
            {
                _stop = stop;
                if (_count > 0)
                {
                    stop(false);
                }
            }
        }

        /// <summary>Signals are kept.</summary>
        public void Hold()
        {
            lock (_lock)
            {
                _stop = null;
            }
        }

        public void Dispose()
        {
            foreach (PosixSignalRegistration registration in _registrations)
            {
                registration.Dispose();
            }

            _any.Dispose();
        }

        private void OnSignal(PosixSignalContext context)
        {
            context.Cancel = true;
            lock (_lock)
            {
                _count++;
                _stop?.Invoke(_count > 1);
            }

            _any.Cancel();
        }
    }
}
