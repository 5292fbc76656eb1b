using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using Tessera.Api;
using Tessera.Cli;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines.Native;

namespace Tessera.Daemon;

/// <summary>
/// The composition root: one daemon per state folder, with every part of it made here. It takes back
/// what an earlier daemon left running before it answers its first command.
/// </summary>
internal static class Daemon
{
    private static readonly TimeSpan AdoptionLimit = TimeSpan.FromSeconds(30);

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
        var log = new DaemonLog(home, isFile: onDemand);
        ProxyOptions options = ReadOptions(log.Write);
        var store = new ProjectStore(home);
        var catalog = new Catalog();
        var shutdown = new DaemonShutdown(onDemand);
        await using var proxy = new ProxyServer(options);
        using var ingress = new Ingress(proxy, catalog,
            project => Path.Combine(store.FolderOf(project), "access.log"), log.Write, TimeProvider.System);
        await using var engine = new NativeEngine(
            new NativeEngineOptions
            {
                StateFolder = home.Projects,
                PathFolder = AppContext.BaseDirectory,
                Log = log.Write,
            },
            catalog, ingress.DrainAsync, TimeProvider.System);
        var controller = new Controller(engine, catalog, ingress, proxy, store, shutdown,
            TimeProvider.System, Describe,
            entry => engine.SetBaseEnvironment(entry.Name, entry.BaseEnvironment));

        await TakeBackAsync(store, engine, ingress, log.Write);
        await using ControlServer server = await ControlServer.StartAsync(
            home, controller, fault => log.Write($"fault: {fault}"), cancellation);
        using var signals = new ShutdownSignals(
            () => _ = controller.EndAsync(keepInstances: false, _ => { }));
        log.Write($"tessera {VersionCommand.Version} serves {home.Path} with {options.Reactors} reactors");

        bool keepInstances = await shutdown.Begun;
        log.Write(keepInstances ? "ending; instances live on" : "ending; instances are stopped");
        await server.StopAsync(AnswerLimit);
        if (onDemand && ingress.Projects.IsEmpty)
        {
            // Nothing is worth keeping without a project: the folder is left as it was found.
            log.Delete();
            store.DeleteIfEmpty();
        }

        return ExitCode.Ok;

        DaemonView Describe() => new(VersionCommand.Version, Environment.ProcessId, startedAt, home.Path, onDemand,
            options.Reactors, [.. ingress.Projects.Keys]);
    }

    /// <summary>
    /// Listens for every project on disk, then adopts what lives and starts what shall run. Requests
    /// that come in between are held.
    /// </summary>
    private static async Task TakeBackAsync(
        ProjectStore store, NativeEngine engine, Ingress ingress, Action<string> log)
    {
        using var limit = new CancellationTokenSource(AdoptionLimit);
        foreach (string name in store.Names)
        {
            if (store.Load(name, log) is not { } entry)
            {
                await engine.AdoptAsync(name, [], limit.Token);
                continue;
            }

            engine.SetBaseEnvironment(entry.Name, entry.BaseEnvironment);
            await engine.AdoptAsync(
                entry.Name, entry.Project.Services.Values, limit.Token);
            foreach (ListenFailure failure in ingress.Set(entry))
            {
                log($"cannot listen on {failure.Address} for {entry.Name}: {failure.Reason}; "
                    + "trying again every second");
            }
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

    /// <summary>SIGTERM and SIGINT end the daemon as <c>daemon stop</c> does.</summary>
    private sealed class ShutdownSignals : IDisposable
    {
        private readonly ImmutableArray<PosixSignalRegistration> _registrations;

        public ShutdownSignals(Action end) =>
            _registrations = [.. new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT }
                .Select(signal => PosixSignalRegistration.Create(signal, context =>
                {
                    context.Cancel = true;
                    end();
                }))];

        public void Dispose()
        {
            foreach (PosixSignalRegistration registration in _registrations)
            {
                registration.Dispose();
            }
        }
    }
}
