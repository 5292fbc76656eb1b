using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Tessera.Proxy;
using Tessera.Stack;

namespace Tessera.Daemon;

/// <summary>What a predecessor handed over: descriptors that are this process's now.</summary>
/// <param name="Lock">
/// The state folder's lock; null when the predecessor died before it had passed it on.
/// </param>
internal sealed record Inheritance(ImmutableArray<SharedListener> Listeners, int? Lock);

/// <summary>
/// The daemon that hands over to this one, as seen from here. Used by one flow, but for
/// <see cref="Tell"/>.
/// </summary>
internal sealed class Predecessor : IAsyncDisposable
{
    /// <summary>
    /// The predecessor lets commands under way end first, and operations of its supervisors.
    /// </summary>
    private static readonly TimeSpan ReleaseLimit = TimeSpan.FromSeconds(90);

    private static readonly TimeSpan CommitLimit = TimeSpan.FromSeconds(10);

    private readonly HandoverChannel _channel;
    private readonly Lock _lock = new();

    /// <summary>
    /// Only the newest configuration is worth telling; with it come the names of all backends there
    /// were up to it, those included that no told configuration had.
    /// </summary>
    private readonly Channel<(ProxyConfig Config, ImmutableHashSet<string> Names)> _news =
        Channel.CreateBounded<(ProxyConfig, ImmutableHashSet<string>)>(
            new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });

    private ImmutableHashSet<string> _names = [];
    private Task _telling = Task.CompletedTask;

    private Predecessor(HandoverChannel channel) => _channel = channel;

    /// <summary>The daemon of a state folder; null when none runs that could be asked.</summary>
    public static async Task<Predecessor?> FindAsync(
        TesseraHome home, CancellationToken cancellation)
    {
        Socket socket = HandoverChannel.CreateSocket();
        try
        {
            await socket.ConnectAsync(
                new UnixDomainSocketEndPoint(home.HandoverSocket), cancellation);
            return new Predecessor(new HandoverChannel(socket));
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Asks for everything and waits for it. A predecessor that dies meanwhile leaves listeners,
    /// as far as they were passed on, and a state folder that is free.
    /// </summary>
    /// <exception cref="UserErrorException">It refused, or hangs; it goes on serving.</exception>
    public async Task<Inheritance> ReceiveAsync(CancellationToken cancellation)
    {
        ImmutableArray<SharedListener>.Builder listeners =
            ImmutableArray.CreateBuilder<SharedListener>();
        try
        {
            await _channel.SendAsync(HandoverStep.Hello, cancellation);
            while (await _channel.ReceiveAsync(ReleaseLimit, cancellation) is { } received)
            {
                (HandoverMessage message, int[] descriptors) = received;
                switch (message.Step)
                {
                    case HandoverStep.Refused:
                        throw new UserErrorException(
                            $"the running daemon did not hand over: {message.Reason}",
                            UserErrorException.Failed);
                    case HandoverStep.Listeners:
                        listeners.AddRange(message.Addresses.Zip(descriptors).Select(pair =>
                            new SharedListener(PathEndPoint.ParseAny(pair.First), pair.Second)));
                        break;
                    case HandoverStep.Released:
                        return new Inheritance(listeners.ToImmutable(), descriptors.Single());
                    default:
                        throw new IOException($"{message.Step} was not expected");
                }
            }

            return new Inheritance(listeners.ToImmutable(), null);
        }
        catch (Exception fault) when (fault is IOException or TimeoutException)
        {
            throw new UserErrorException(
                $"the running daemon did not hand over: {fault.Message}; it goes on serving",
                UserErrorException.Failed);
        }
    }

    /// <summary>
    /// Says that all is taken over, and waits until the predecessor lets go for good. A predecessor
    /// that is gone by now has let go as well: one that takes everything back ends its successor
    /// first.
    /// </summary>
    /// <exception cref="UserErrorException">Silence: it may take everything back.</exception>
    public async Task CommitAsync()
    {
        try
        {
            await _channel.SendAsync(HandoverStep.Serving, CancellationToken.None);
            if (await _channel.ReceiveAsync(CommitLimit, CancellationToken.None)
                is { Message.Step: not HandoverStep.Yours } other)
            {
                throw new TimeoutException($"it said {other.Message.Step}");
            }
        }
        catch (IOException)
        {
            // It is gone.
        }
        catch (TimeoutException fault)
        {
            throw new UserErrorException(
                $"the running daemon did not hand over: {fault.Message}",
                UserErrorException.Failed);
        }
    }

    /// <summary>
    /// Tells it where requests go, so that those it still has follow. Any thread; never waits.
    /// </summary>
    public void Tell(ProxyConfig config)
    {
        lock (_lock)
        {
            _names = _names.Union(config.Backends.Select(b => b.Name));
            _news.Writer.TryWrite((config, _names));
        }
    }

    /// <summary>Begins to tell; after <see cref="CommitAsync"/>.</summary>
    public void BeginTelling(Action<string> log) => _telling = TellAllAsync(log);

    public async ValueTask DisposeAsync()
    {
        _news.Writer.TryComplete();
        await _telling;
        _channel.Dispose();
    }

    private async Task TellAllAsync(Action<string> log)
    {
        try
        {
            var told = new Dictionary<string, BackendConfig>(StringComparer.Ordinal);
            await foreach ((ProxyConfig config, ImmutableHashSet<string> names)
                in _news.Reader.ReadAllAsync())
            {
                // What is gone is told of too: whoever waits for it there waits in vain.
                IEnumerable<BackendConfig> gone = names
                    .Except(config.Backends.Select(b => b.Name))
                    .Select(name => new BackendConfig
                    {
                        Name = name,
                        UnavailableReason = "the service was removed",
                    });
                foreach (BackendConfig backend in config.Backends.Concat(gone))
                {
                    if (told.GetValueOrDefault(backend.Name) is { } before
                        && before.Endpoints.SequenceEqual(backend.Endpoints)
                        && before.UnavailableReason == backend.UnavailableReason)
                    {
                        continue;
                    }

                    told[backend.Name] = backend;
                    if (!await _channel.TrySendAsync(
                        Describe(backend), [], CancellationToken.None))
                    {
                        log($"{backend.Name} has too many endpoints to be told to the daemon that "
                            + "handed over: requests that are still there do not follow");
                    }
                }
            }
        }
        catch (IOException)
        {
            // It has ended, and with it everything that was to be told.
        }
    }

    private static HandoverMessage Describe(BackendConfig backend) =>
        HandoverMessage.Of(HandoverStep.Endpoints) with
        {
            Backend = backend.Name,
            Reason = backend.UnavailableReason ?? "",
            Endpoints = [.. backend.Endpoints.Select(HandoverEndpoint.Of)],
        };
}
