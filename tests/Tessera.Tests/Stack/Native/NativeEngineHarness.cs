using System.Collections.Concurrent;
using System.Collections.Immutable;
using Shouldly;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;
using Tessera.Stack.Engines.Native;
using Tessera.Stack.Planning;

namespace Tessera.Tests.Stack.Native;

/// <summary>
/// A native engine on a state folder of its own, with real processes. Whatever a test leaves
/// running is removed at its end.
/// </summary>
internal sealed class NativeEngineHarness : IAsyncDisposable
{
    public const string ProjectName = "demo";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly Func<NativeEngineOptions, NativeEngineOptions> _configure;

    public NativeEngineHarness(Func<NativeEngineOptions, NativeEngineOptions>? configure = null)
    {
        _configure = configure ?? (options => options);
        Folder = Directory.CreateTempSubdirectory("tessera-native-").FullName;
        Engine = CreateEngine();
    }

    public string Folder { get; }

    public string StateFolder => Path.Combine(Folder, "state");

    public Catalog Catalog { get; private set; } = new();

    public NativeEngine Engine { get; private set; }

    public ConcurrentQueue<string> Log { get; } = new();

    /// <summary>What is done instead of draining; records by default.</summary>
    public Func<Instance, Task> OnDrain { get; set; } = _ => Task.CompletedTask;

    public ConcurrentQueue<Instance> Drained { get; } = new();

    /// <summary>What every drain reports.</summary>
    public int LeftInFlight { get; set; }

    public static CancellationToken Cancellation => Xunit.TestContext.Current.CancellationToken;

    public Service Shell(string script, string name = "web") =>
        Command(["/bin/sh", "-c", script], name);

    public Service Command(ImmutableArray<string> words, string name = "web") => new()
    {
        Name = name,
        Command = words,
        WorkingDirectory = Folder,
        ProcessHash = string.Join(' ', words),
        StopGracePeriod = TimeSpan.FromSeconds(5),
    };

    public static SlotName Slot(int number = 1, string service = "web") =>
        new(ProjectName, service, number);

    public Task StartAsync(Service service, int number = 1) => Engine.ExecuteAsync(
        new StartInstance(Slot(number, service.Name), service, "test"), Cancellation);

    public Task StopAsync(int number = 1, TimeSpan? grace = null) => Engine.ExecuteAsync(
        new StopInstance(Slot(number), "test", grace), Cancellation);

    public Task RemoveAsync(int number = 1) => Engine.ExecuteAsync(
        new RemoveInstance(Slot(number), "test"), Cancellation);

    public Task ReplaceAsync(Service service, int number = 1) => Engine.ExecuteAsync(
        new ReplaceInstance(Slot(number), service, "test"), Cancellation);

    /// <summary>The slot's newest instance, once it satisfies the condition.</summary>
    public async Task<Instance> WaitAsync(
        Func<Instance, bool> condition, int number = 1, string service = "web")
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(Limit);
        try
        {
            CatalogSnapshot snapshot = await Catalog.WaitAsync(
                now => Newest(now, number, service) is Instance found && condition(found),
                limit.Token);
            return Newest(snapshot, number, service)!;
        }
        catch (OperationCanceledException)
        {
            Instance? now = Newest(Catalog.Current, number, service);
            throw new TimeoutException($"not reached: {now}\n{string.Join('\n', Log)}");
        }
    }

    public Task<Instance> WaitAsync(InstanceState state, int number = 1) =>
        WaitAsync(instance => instance.State == state, number);

    public Instance? Newest(int number = 1) => Newest(Catalog.Current, number, "web");

    public async Task<List<string>> ReadLogAsync(int? tail = null)
    {
        List<string> lines = [];
        await foreach (LogLine line in Engine.LogsAsync(
            new LogQuery(ProjectName, [], Tail: tail), Cancellation))
        {
            lines.Add(line.Text);
        }

        return lines;
    }

    /// <summary>
    /// Waits until a log holds a line that satisfies the condition; returns all lines.
    /// </summary>
    public async Task<List<string>> WaitForLineAsync(Predicate<string> condition)
    {
        List<string> lines = [];
        await EventuallyAsync(async () =>
        {
            lines = await ReadLogAsync();
            return lines.Exists(condition);
        });
        return lines;
    }

    public static async Task EventuallyAsync(Func<Task<bool>> condition)
    {
        DateTimeOffset end = TimeProvider.System.GetUtcNow() + Limit;
        while (!await condition())
        {
            TimeProvider.System.GetUtcNow().ShouldBeLessThan(end, "condition not reached in time");
            await Task.Delay(10, Cancellation);
        }
    }

    public static Task EventuallyAsync(Func<bool> condition) =>
        EventuallyAsync(() => Task.FromResult(condition()));

    /// <summary>
    /// The daemon dies without a word and another one starts: a new engine and catalog on the same
    /// folder.
    /// </summary>
    public async Task RestartDaemonAsync(params Service[] services)
    {
        await Engine.ReleaseAsync();
        await StartDaemonAsync(services);
    }

    /// <returns>What the engine says that a person should know.</returns>
    public async Task<ImmutableArray<string>> StartDaemonAsync(params Service[] services)
    {
        Catalog = new Catalog();
        Engine = CreateEngine();
        return await Engine.AdoptAsync(ProjectName, services, Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Instance instance in Catalog.Current.Instances.Values)
        {
            await Engine.ExecuteAsync(
                new RemoveInstance(instance.Slot, "end of test", TimeSpan.Zero),
                CancellationToken.None);
        }

        await Engine.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    private NativeEngine CreateEngine()
    {
        var engine = new NativeEngine(
            _configure(new NativeEngineOptions { StateFolder = StateFolder, Log = Log.Enqueue }),
            Catalog,
            async (instance, _, cancellation) =>
            {
                Drained.Enqueue(instance);
                await OnDrain(instance).WaitAsync(cancellation);
                return LeftInFlight;
            },
            TimeProvider.System);
        engine.SetBaseEnvironment(ProjectName, ImmutableSortedDictionary<string, string>.Empty
            .Add("PATH", Environment.GetEnvironmentVariable("PATH")!)
            .Add("HOME", "/root"));
        return engine;
    }

    private static Instance? Newest(CatalogSnapshot snapshot, int number, string service) =>
        snapshot.Instances.Values
            .Where(instance => instance.Slot == Slot(number, service))
            .MaxBy(instance => instance.CreatedAt);
}
