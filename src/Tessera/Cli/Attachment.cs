using System.Collections.Immutable;
using System.Globalization;
using Tessera.Stack;
using Tessera.Stack.Engines;

namespace Tessera.Cli;

internal enum AbortOn
{
    Nothing,
    AnyExit,
    Failure,
}

/// <summary>
/// What <c>up</c> does unless detached: shows what instances write, from the first start on, until
/// they have all ended, or until Ctrl-C stops them. One use by one command.
/// </summary>
internal sealed class Attachment(
    Session session,
    IController controller,
    Project project,
    ImmutableArray<string> services,
    AbortOn abortOn,
    string? exitCodeFrom,
    LogPrinter printer) : IAsyncDisposable
{
    /// <summary>How often instances are looked at when no event says that it is worth it.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    /// <summary>How long logs must be silent after the last end to count as complete.</summary>
    private static readonly TimeSpan LogQuietTime = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// How long the news of an end that was asked for, and its last lines, may take.
    /// </summary>
    private static readonly TimeSpan FarewellLimit = TimeSpan.FromSeconds(2);

    private readonly HashSet<string> _alive = new(StringComparer.Ordinal);
    private readonly HashSet<string> _announced = new(StringComparer.Ordinal);
    private readonly DateTimeOffset _since = session.Caller.Time.GetUtcNow();
    private readonly CancellationTokenSource _end = new();
    private Task? _logs;

    /// <summary>
    /// Passes on what the start tells, and shows lines from the moment on that the daemon acts:
    /// only then it is certain to know the project.
    /// </summary>
    public async IAsyncEnumerable<Progress> FollowAsync(IAsyncEnumerable<Progress> start)
    {
        await foreach (Progress progress in start)
        {
            if (progress.Kind is ProgressKind.Started or ProgressKind.Done)
            {
                BeginLogs();
            }

            yield return progress;
        }
    }

    /// <summary>Stays attached to what was started.</summary>
    /// <returns>The exit code of the command.</returns>
    public async Task<int> RunAsync()
    {
        BeginLogs();
        Task logs = _logs!;
        Task<int> ended = WatchAsync(_end.Token);
        Task interrupted = WhenAsync(session.Cancellation, _end.Token);
        try
        {
            Task first = await Task.WhenAny(logs, ended, interrupted);
            if (first == interrupted)
            {
                await StopAsync();
                await Task.WhenAny(ended, Task.Delay(FarewellLimit, session.Caller.Time));
                await QuietAsync(logs);
                return ExitCode.Interrupted;
            }

            if (first == logs)
            {
                await logs;
                throw new UserErrorException(
                    "the daemon ended; see 'tessera ps'", ExitCode.Failed);
            }

            int exitCode = await ended;
            if (abortOn != AbortOn.Nothing)
            {
                await StopAsync();
                exitCode = await ChooseExitCodeAsync(exitCode);
            }

            await QuietAsync(logs);
            return exitCode;
        }
        finally
        {
            await _end.CancelAsync();
            await Task.WhenAll(logs, ended, interrupted)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await (_logs ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private void BeginLogs()
    {
        if (_logs is null)
        {
            printer.Align(SelectedServices().SelectMany(InstanceNames));
            _logs = PrintLogsAsync(
                new LogQuery(project.Name, services, Follow: true, Since: _since), _end.Token);
        }
    }

    private IEnumerable<Service> SelectedServices() =>
        project.Services.Values.Where(
            service => services.IsEmpty || services.Contains(service.Name));

    private static IEnumerable<string> InstanceNames(Service service) =>
        Enumerable.Range(1, Math.Max(1, service.Scale)).Select(number =>
            string.Create(CultureInfo.InvariantCulture, $"{service.Name}-{number}"));

    private async Task PrintLogsAsync(LogQuery query, CancellationToken cancellation)
    {
        try
        {
            await printer.PrintAsync(controller.LogsAsync(query, cancellation));
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Told to end.
        }
    }

    /// <summary>Ends with an exit code when nothing is left to be attached to.</summary>
    private async Task<int> WatchAsync(CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        await using IAsyncEnumerator<InstanceEvent> events =
            controller.EventsAsync(project.Name, stop.Token).GetAsyncEnumerator(stop.Token);
        var ahead = new NextEvent(events);
        try
        {
            return await WatchAsync(ahead, cancellation);
        }
        finally
        {
            // An enumerator may not be disposed of while a step of it is under way.
            await stop.CancelAsync();
            await ((Task)ahead.Arrived).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<int> WatchAsync(NextEvent ahead, CancellationToken cancellation)
    {
        bool hasExternal = SelectedServices().Any(service => !service.HasInstances);
        while (true)
        {
            // Instances are looked at after the events were asked for, so that no end falls
            // between.
            ImmutableArray<InstanceView> instances = Select(
                await controller.ListAsync(project.Name, cancellation));
            if (AnnounceEnded(instances) is { } listed)
            {
                return listed;
            }

            if (!hasExternal && !instances.Any(IsAlive))
            {
                // Whatever could have aborted has been announced, and did not.
                return ExitCode.Ok;
            }

            await Task.WhenAny(
                ahead.Arrived, Task.Delay(LookInterval, session.Caller.Time, cancellation));
            cancellation.ThrowIfCancellationRequested();
            if (!ahead.Arrived.IsCompleted)
            {
                continue;
            }

            if (!await ahead.Arrived)
            {
                throw new UserErrorException("the daemon ended", ExitCode.Failed);
            }

            if (Announce(ahead.Current) is { } exitCode)
            {
                return exitCode;
            }

            ahead.Ask();
        }
    }

    /// <summary>
    /// Says which instances of this <c>up</c> ended where their event did not come through yet, or
    /// came before anybody listened.
    /// </summary>
    private int? AnnounceEnded(ImmutableArray<InstanceView> instances)
    {
        _alive.UnionWith(instances.Where(IsAlive).Select(view => view.Id));
        int? first = null;
        foreach (InstanceView view in instances)
        {
            bool isOurs = _alive.Contains(view.Id) || view.CreatedAt >= _since;
            if (!IsAlive(view) && isOurs && _announced.Add(view.Id))
            {
                int? code = Announce(LogPrinter.ShortName(view), view.ExitCode);
                first ??= code;
            }
        }

        return first;
    }

    /// <summary>Says that an instance ended; the exit code when that ends the command.</summary>
    private int? Announce(InstanceEvent change)
    {
        if (change.Action is not ("die" or "fail")
            || (!services.IsEmpty && !services.Contains(change.Slot.Service))
            || !_announced.Add(change.Id))
        {
            return null;
        }

        bool isKnown = change.Attributes.TryGetValue("exitCode", out string? text);
        int? exitCode = isKnown ? int.Parse(text!, CultureInfo.InvariantCulture) : null;
        return Announce(LogPrinter.ShortName(change.Slot), exitCode);
    }

    private int? Announce(string name, int? exitCode)
    {
        printer.Announce(name, exitCode is null
            ? "ended"
            : string.Create(CultureInfo.InvariantCulture, $"exited with code {exitCode}"));
        int code = exitCode ?? ExitCode.Failed;
        bool aborts = abortOn == AbortOn.AnyExit || (abortOn == AbortOn.Failure && code != 0);
        return aborts ? code : null;
    }

    /// <summary>
    /// That of the service that was asked for, else that of whichever ended first.
    /// </summary>
    private async Task<int> ChooseExitCodeAsync(int firstExitCode)
    {
        if (exitCodeFrom is null)
        {
            return firstExitCode;
        }

        ImmutableArray<InstanceView> instances =
            await controller.ListAsync(project.Name, CancellationToken.None);
        return instances.LastOrDefault(view => view.Service == exitCodeFrom)?.ExitCode
            ?? ExitCode.Failed;
    }

    private ImmutableArray<InstanceView> Select(ImmutableArray<InstanceView> instances) =>
        services.IsEmpty
            ? instances
            : [.. instances.Where(view => services.Contains(view.Service))];

    private static bool IsAlive(InstanceView view) =>
        view.State is not (InstanceStates.Exited or InstanceStates.Fatal);

    /// <summary>Stops in an orderly way; a second Ctrl-C kills.</summary>
    private async Task StopAsync()
    {
        session.Error.WriteLine("Gracefully stopping... (press Ctrl+C again to force)");
        using var given = new CancellationTokenSource();
        Task stop = ChangeAsync(ChangeKind.Stop);
        Task forced = WhenAsync(session.Caller.Interrupts.Second, given.Token);
        if (await Task.WhenAny(stop, forced) == forced)
        {
            await ChangeAsync(ChangeKind.Kill);
        }

        await stop;
        await given.CancelAsync();
        await forced;
    }

    /// <summary>Not to be cancelled: the first Ctrl-C has already been spent on it.</summary>
    private Task ChangeAsync(ChangeKind kind) => session.ShowAsync(controller.ChangeAsync(
        new ChangeRequest(
            kind, project.Name, services, ImmutableSortedDictionary<string, int>.Empty),
        CancellationToken.None));

    /// <summary>Leaves the last lines time to arrive.</summary>
    private async Task QuietAsync(Task logs)
    {
        long begin = session.Caller.Time.GetTimestamp();
        long printed;
        do
        {
            printed = printer.PrintedLines;
            await Task.WhenAny(logs, Task.Delay(LogQuietTime, session.Caller.Time));
        }
        while (!logs.IsCompleted && printer.PrintedLines != printed
            && session.Caller.Time.GetElapsedTime(begin) < FarewellLimit);
    }

    /// <summary>Done when either token is cancelled.</summary>
    private static async Task WhenAsync(CancellationToken signal, CancellationToken end)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(signal, end);
        await Task.Delay(Timeout.InfiniteTimeSpan, either.Token)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>The event that is waited for; it stays under way over several looks.</summary>
    private sealed class NextEvent
    {
        private readonly IAsyncEnumerator<InstanceEvent> _events;

        public NextEvent(IAsyncEnumerator<InstanceEvent> events)
        {
            _events = events;
            Arrived = events.MoveNextAsync().AsTask();
        }

        /// <summary>False when no event will come any more.</summary>
        public Task<bool> Arrived { get; private set; }

        public InstanceEvent Current => _events.Current;

        public void Ask() => Arrived = _events.MoveNextAsync().AsTask();
    }
}
