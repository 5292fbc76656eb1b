using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Tessera.Stack.Engines;

namespace Tessera.Tests.Api;

/// <summary>
/// A controller whose streams are written by the test while they are read. Remembers every request.
/// </summary>
internal sealed class FakeController : IController
{
    private readonly Channel<Progress> _progress = Channel.CreateUnbounded<Progress>();
    private readonly Channel<LogLine> _logs = Channel.CreateUnbounded<LogLine>();
    private readonly Channel<InstanceEvent> _events = Channel.CreateUnbounded<InstanceEvent>();

    public List<object> Requests { get; } = [];

    /// <summary>Goes through to the caller when set, after what was written.</summary>
    public ChannelWriter<Progress> ProgressWriter => _progress.Writer;

    public ChannelWriter<LogLine> LogWriter => _logs.Writer;

    public ChannelWriter<InstanceEvent> EventWriter => _events.Writer;

    /// <summary>Completes when a call's token was cancelled.</summary>
    public TaskCompletionSource Cancelled { get; } = new();

    /// <summary>Completes when a changing call was read to its end.</summary>
    public TaskCompletionSource ReadToEnd { get; } = new();

    /// <summary>Changing calls end when their caller leaves; otherwise they go on.</summary>
    public bool EndsWithCaller { get; set; }

    public ImmutableArray<InstanceView> Instances { get; set; } = [];

    public Exception? ListFault { get; set; }

    /// <summary>Called with each change, before its stream begins.</summary>
    public Action<object> OnRequest { get; set; } = _ => { };

    public DaemonView Daemon { get; set; } = new(
        "1.2.3", 4_242, DateTimeOffset.UnixEpoch, "/home", OnDemand: true, Reactors: 2, ["a", "b"]);

    public IAsyncEnumerable<Progress> UpAsync(UpRequest request, CancellationToken cancellation) =>
        ChangeAsync((object)request, cancellation);

    public IAsyncEnumerable<Progress> DownAsync(
        DownRequest request, CancellationToken cancellation) =>
        ChangeAsync((object)request, cancellation);

    public IAsyncEnumerable<Progress> ChangeAsync(
        ChangeRequest request, CancellationToken cancellation) =>
        ChangeAsync((object)request, cancellation);

    public IAsyncEnumerable<Progress> StopDaemonAsync(
        bool keepInstances, CancellationToken cancellation) =>
        ChangeAsync((object)keepInstances, cancellation);

    public Task<ImmutableArray<InstanceView>> ListAsync(
        string? project, CancellationToken cancellation)
    {
        lock (Requests)
        {
            Requests.Add($"list {project}");
        }

        return ListFault is null ? Task.FromResult(Instances) : throw ListFault;
    }

    public Task<DaemonView> GetDaemonAsync(CancellationToken cancellation) =>
        Task.FromResult(Daemon);

    public Task<string> GetMetricsAsync(CancellationToken cancellation) =>
        Task.FromResult("# a page\n");

    public IAsyncEnumerable<LogLine> LogsAsync(LogQuery query, CancellationToken cancellation) =>
        ReadAsync(query, _logs, cancellation);

    public IAsyncEnumerable<InstanceEvent> EventsAsync(
        string? project, CancellationToken cancellation) =>
        ReadAsync($"events {project}", _events, cancellation);

    private async IAsyncEnumerable<Progress> ChangeAsync(
        object request, [EnumeratorCancellation] CancellationToken cancellation)
    {
        lock (Requests)
        {
            Requests.Add(request);
        }

        OnRequest(request);
        await using CancellationTokenRegistration registration =
            cancellation.Register(() => Cancelled.TrySetResult());
        CancellationToken end = EndsWithCaller ? cancellation : CancellationToken.None;
        await foreach (Progress step in _progress.Reader.ReadAllAsync(end))
        {
            yield return step;
        }

        ReadToEnd.TrySetResult();
    }

    private async IAsyncEnumerable<T> ReadAsync<T>(
        object request, Channel<T> channel, [EnumeratorCancellation] CancellationToken cancellation)
    {
        lock (Requests)
        {
            Requests.Add(request);
        }

        await using CancellationTokenRegistration registration =
            cancellation.Register(() => Cancelled.TrySetResult());
        await foreach (T item in channel.Reader.ReadAllAsync(cancellation))
        {
            yield return item;
        }
    }
}
