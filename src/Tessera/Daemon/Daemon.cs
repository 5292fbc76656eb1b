using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using Tessera.Api;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines.Native;

namespace Tessera.Daemon;

/// <summary>
/// The composition root: one daemon per state folder, with every part of it made here. It adopts
/// what an earlier daemon left running before it answers its first command.
/// </summary>
internal static class Daemon
{
    private static readonly TimeSpan AdoptionLimit = TimeSpan.FromSeconds(15);

    /// <summary>Whoever started the daemon for a command may have died before giving it.</summary>
    private static readonly TimeSpan FirstCommandLimit = TimeSpan.FromSeconds(30);

    /// <summary>For answers under way when the daemon ends.</summary>
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(2);

    /// <param name="onDemand">Started by a command: ends by itself when no project is left.</param>
    /// <returns>An exit code: 0 after an orderly end.</returns>
    public static async Task<int> RunAsync(
        TesseraHome home, bool onDemand, CancellationToken cancellation)
    {
        DateTimeOffset startedAt = DateTimeOffset.UtcNow;
        Directory.CreateDirectory(home.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite
            | UnixFileMode.UserExecute);
        using DaemonLock held = DaemonLock.Take(home);
        await using var log = new DaemonLog(home, isFile: onDemand);
        ProxyOptions options = ReadOptions(log.Write);
        var store = new ProjectStore(home);
        var catalog = new Catalog();
        var shutdown = new DaemonShutdown(onDemand);
        var troubles = new Troubles();
        await using var proxy = new ProxyServer(options);
        await using var ingress = new Ingress(proxy, catalog,
            project => Path.Combine(store.FolderOf(project), "access.log"), log.Write,
            TimeProvider.System);
        await using var engine = new NativeEngine(
            new NativeEngineOptions
            {
                StateFolder = home.Projects,
                PathFolder = AppContext.BaseDirectory,
                Log = log.Write,
            },
            catalog, ingress.DrainAsync, TimeProvider.System);
        using var controller = new Controller(engine, catalog, ingress, proxy, store, shutdown,
            troubles, TimeProvider.System, Describe);

        await AdoptAsync(store, engine, ingress, troubles, log.Write);
        await using ControlServer server = await ControlServer.StartAsync(
            home, controller, fault => log.Write($"fault: {fault}"), cancellation);
        await using var watch = new HomeWatch(home, held,
            () => ControlServer.StartAsync(
                home, controller, fault => log.Write($"fault: {fault}"), CancellationToken.None),
            async () =>
            {
                foreach (ProjectEntry entry in ingress.Projects.Values)
                {
                    store.Save(entry);
                }

                await engine.WriteStateAsync();
            },
            log.Write, TimeProvider.System);
        watch.Begin();
        using var signals = new ShutdownSignals(controller, shutdown, log.Write);
        log.Write(
            $"tessera {ProgramVersion.Text} serves {home.Path} with {options.Reactors} reactors");
        Task completion = controller.CompleteAsync(log.Write);
        await using ITimer patience = TimeProvider.System.CreateTimer(
            _ => controller.NoteIdle(), null, FirstCommandLimit, Timeout.InfiniteTimeSpan);

        bool keepInstances = await shutdown.Begun;
        await completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        log.Write(keepInstances ? "ending; instances live on" : "ending; instances are stopped");
        await server.StopAsync(AnswerLimit);
        if (onDemand && ingress.Projects.IsEmpty)
        {
            // Nothing is worth keeping without a project: the folder is left as it was found.
            log.Delete();
            store.DeleteIfEmpty();
        }

        return ExitCode.Ok;

        DaemonView Describe() => new(ProgramVersion.Text, Environment.ProcessId, startedAt,
            home.Path, onDemand, options.Reactors, [.. ingress.Projects.Keys],
            troubles.All.IsEmpty ? null : troubles.All);
    }

    /// <summary>
    /// Listens for every project on disk, adopts what lives and starts what shall run. Requests
    /// that come in between are held.
    /// </summary>
    private static async Task AdoptAsync(
        ProjectStore store, NativeEngine engine, Ingress ingress, Troubles troubles,
        Action<string> log)
    {
        using var limit = new CancellationTokenSource(AdoptionLimit);
        foreach (string name in store.Names)
        {
            ProjectEntry? entry = store.Load(name, text =>
            {
                log(text);
                troubles.Add(new ProjectTrouble(name, text, IsUnreadable: true));
            });
            if (entry is not null)
            {
                engine.SetBaseEnvironment(name, entry.BaseEnvironment);
                entry = TryListen(entry, ingress, log) ? entry : null;
            }

            try
            {
                foreach (string text in await engine.AdoptAsync(
                    name, entry?.Project.Services.Values ?? [], limit.Token))
                {
                    troubles.Add(new ProjectTrouble(name, text, IsUnreadable: false));
                }
            }
            catch (OperationCanceledException)
            {
                log($"{name} could not be adopted within {AdoptionLimit.TotalSeconds:0} s");
            }

            if (entry is not null)
            {
                ingress.Set(entry);
            }
        }
    }

    /// <summary>False when its routes cannot be built: what runs of it runs on without.</summary>
    private static bool TryListen(ProjectEntry entry, Ingress ingress, Action<string> log)
    {
        try
        {
            foreach (ListenFailure failure in ingress.Set(
                entry with { Expected = [.. entry.Project.Services.Keys] }))
            {
                log($"cannot listen on {failure.Address} for {entry.Name}: {failure.Reason}; "
                    + "trying again every second");
            }

            return true;
        }
        catch (Exception e)
        {
            log($"fault: {entry.Name} has no routes; run `tessera up` with its file: {e}");
            return false;
        }
    }

    private static ProxyOptions ReadOptions(Action<string> log)
    {
        var options = new ProxyOptions { ErrorLog = log };
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

    /// <summary>
    /// SIGTERM and SIGINT end the daemon as <c>daemon stop</c> does; the second one ends it at once
    /// and leaves what still runs to the next daemon.
    /// </summary>
    private sealed class ShutdownSignals : IDisposable
    {
        private readonly Controller _controller;
        private readonly DaemonShutdown _shutdown;
        private readonly Action<string> _log;
        private readonly ImmutableArray<PosixSignalRegistration> _registrations;
        private int _count;

        public ShutdownSignals(
            Controller controller, DaemonShutdown shutdown, Action<string> log)
        {
            _controller = controller;
            _shutdown = shutdown;
            _log = log;
            _registrations = [.. new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT }
                .Select(signal => PosixSignalRegistration.Create(signal, OnSignal))];
        }

        public void Dispose()
        {
            foreach (PosixSignalRegistration registration in _registrations)
            {
                registration.Dispose();
            }
        }

        private void OnSignal(PosixSignalContext context)
        {
            context.Cancel = true;
            if (Interlocked.Increment(ref _count) > 1)
            {
                _shutdown.Begin(keepInstances: true);
                return;
            }

            _controller.EndAsync(keepInstances: false, _ => { }).ContinueWith(
                end => _log(
                    $"not everything could be stopped: {end.Exception!.InnerException!.Message}"),
                CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted,
                    TaskScheduler.Default);
        }
    }
}
