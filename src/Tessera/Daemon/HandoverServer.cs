using System.Net.Sockets;

namespace Tessera.Daemon;

/// <summary>
/// Where a successor asks a running daemon to hand over: a unix socket beside the control socket,
/// because HTTP carries no descriptors. Takes one successor; whoever else asks is refused. Any
/// thread.
/// </summary>
internal sealed class HandoverServer : IAsyncDisposable
{
    private const string NewSuffix = ".new";
    private const int Backlog = 4;

    /// <summary>A successor asks at once.</summary>
    private static readonly TimeSpan HelloLimit = TimeSpan.FromSeconds(5);

    private readonly Socket _listener;
    private readonly string _path;
    private readonly Action<string> _log;
    private readonly CancellationTokenSource _end = new();
    private readonly Task _accepting;
    private TaskCompletionSource<HandoverChannel> _claim = New();
    private bool _isNameOurs = true;

    private HandoverServer(Socket listener, string path, Action<string> log)
    {
        _listener = listener;
        _path = path;
        _log = log;
        _accepting = AcceptAllAsync();
    }

    /// <summary>
    /// A successor that has asked; the next one is taken after <see cref="Reset"/>.
    /// </summary>
    public Task<HandoverChannel> Claim => Volatile.Read(ref _claim).Task;

    /// <summary>
    /// Listens on <see cref="TesseraHome.HandoverSocket"/> in place of whoever did before: only the
    /// owner of the state folder may call it.
    /// </summary>
    public static HandoverServer Start(TesseraHome home, Action<string> log)
    {
        string path = home.HandoverSocket;
        string newPath = path + NewSuffix;
        File.Delete(newPath);
        Socket socket = HandoverChannel.CreateSocket();
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint(newPath));
            File.SetUnixFileMode(newPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            socket.Listen(Backlog);
            File.Move(newPath, path, overwrite: true);
            return new HandoverServer(socket, path, log);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The last successor got nothing: the next one may ask.</summary>
    public void Reset() => Volatile.Write(ref _claim, New());

    /// <summary>A successor listens under this name now.</summary>
    public void LeaveName() => _isNameOurs = false;

    public async ValueTask DisposeAsync()
    {
        if (_isNameOurs)
        {
            File.Delete(_path);
        }

        await _end.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _end.Dispose();
    }

    private static TaskCompletionSource<HandoverChannel> New() =>
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task AcceptAllAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                Socket socket = await _listener.AcceptAsync(_end.Token);
                await GreetAsync(new HandoverChannel(socket));
            }
            catch (Exception fault) when (fault is OperationCanceledException or SocketException
                or ObjectDisposedException or IOException or TimeoutException)
            {
                // Who asked has left again, or this server ends.
            }
        }
    }

    private async Task GreetAsync(HandoverChannel channel)
    {
        bool isTaken = false;
        try
        {
            (HandoverMessage Message, int[] Descriptors)? hello =
                await channel.ReceiveAsync(HelloLimit, _end.Token);
            if (hello is not { Message.Step: HandoverStep.Hello } asked)
            {
                return;
            }

            if (asked.Message.Protocol != HandoverMessage.CurrentProtocol)
            {
                _log($"refused to hand over to version {asked.Message.Version} (pid "
                    + $"{channel.PeerPid}): its hand-over protocol is another one");
                await RefuseAsync(channel, $"version {ProgramVersion.Text} cannot hand over to "
                    + $"version {asked.Message.Version}; end it with "
                    + "`tessera daemon stop --keep-instances` and start the new one");
                return;
            }

            isTaken = Volatile.Read(ref _claim).TrySetResult(channel);
            if (!isTaken)
            {
                await RefuseAsync(channel, "another daemon is just taking over");
            }
        }
        finally
        {
            if (!isTaken)
            {
                channel.Dispose();
            }
        }
    }

    private Task RefuseAsync(HandoverChannel channel, string reason) => channel.SendAsync(
        HandoverMessage.Of(HandoverStep.Refused) with { Reason = reason }, [], _end.Token);
}
