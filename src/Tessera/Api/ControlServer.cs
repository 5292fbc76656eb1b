using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Tessera.Stack;

namespace Tessera.Api;

/// <summary>
/// Serves any <see cref="IController"/> on the control socket. Kestrel alone, without a host, a
/// container of services or a router around it: it answers a few milliseconds after it was asked
/// for. Safe from any thread.
/// </summary>
public sealed class ControlServer : IAsyncDisposable
{
    private readonly KestrelServer _kestrel;
    private readonly ControlEndpoints _endpoints;
    private readonly string _socketPath;
    private bool _isNameOurs = true;
    private bool _isStopped;

    private ControlServer(KestrelServer kestrel, ControlEndpoints endpoints, string socketPath)
    {
        _kestrel = kestrel;
        _endpoints = endpoints;
        _socketPath = socketPath;
    }

    /// <summary>
    /// Listens on <see cref="TesseraHome.ControlSocket"/> and replaces what lies there: only the
    /// owner of <see cref="TesseraHome.LockFile"/> may call it. Reachable when it returns.
    /// </summary>
    /// <param name="onFault">Told of every exception that is not a person's mistake.</param>
    /// <param name="isPaused">Requests wait until <see cref="Resume"/>.</param>
    /// <exception cref="UserErrorException">The path is too long for a socket.</exception>
    public static async Task<ControlServer> StartAsync(
        TesseraHome home,
        IController controller,
        Action<Exception> onFault,
        CancellationToken cancellation,
        bool isPaused = false)
    {
        string path = CheckedSocketPath(home);
        Directory.CreateDirectory(
            home.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var options = new KestrelServerOptions { AddServerHeader = false };
        SetLimits(options.Limits);
        options.ListenUnixSocket(path, listen => listen.Protocols = HttpProtocols.Http1);
        var transport = new SocketTransportFactory(
            Options.Create(new SocketTransportOptions { CreateBoundListenSocket = BindOwnerOnly }),
            NullLoggerFactory.Instance);
        var kestrel = new KestrelServer(
            Options.Create(options), transport, NullLoggerFactory.Instance);
        var endpoints = new ControlEndpoints(controller, onFault);
        var server = new ControlServer(kestrel, endpoints, path);
        if (isPaused)
        {
            _ = endpoints.Gate.CloseAsync(holdsStatus: true);
        }

        try
        {
            await kestrel.StartAsync(new Application(endpoints), cancellation);
            return server;
        }
        catch
        {
            kestrel.Dispose();
            endpoints.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Lets requests that come from now on wait. Completes when no command is under way that
    /// changes something.
    /// </summary>
    public Task PauseAsync() => _endpoints.Gate.CloseAsync(holdsStatus: false);

    public void Resume() => _endpoints.Gate.Open();

    /// <summary>Ends logs and events that are being followed; their readers learn why.</summary>
    public void EndReaders(string reason) => _endpoints.EndReaders(reason);

    /// <summary>
    /// Another server has the name of the socket, or will have it: requests that wait here, and
    /// those that still come, are told to ask again. Leaves the name as it is.
    /// </summary>
    public void Retire()
    {
        _isNameOurs = false;
        _endpoints.Gate.Retire();
    }

    /// <summary>
    /// Takes no more requests, ends streams that only read, gives everything else
    /// <paramref name="grace"/> to end, then cuts it off. The socket file is gone when it
    /// returns, unless the server was retired.
    /// </summary>
    public async Task StopAsync(TimeSpan grace)
    {
        if (_isStopped)
        {
            return;
        }

        _isStopped = true;
        if (_isNameOurs)
        {
            // First the name, so that a new client finds no daemon rather than a dying one.
            File.Delete(_socketPath);
        }

        _endpoints.EndReaders(null);
        using var deadline = new CancellationTokenSource(grace);
        await _kestrel.StopAsync(deadline.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.FromSeconds(1));
        _kestrel.Dispose();
        _endpoints.Dispose();
    }

    private static string CheckedSocketPath(TesseraHome home)
    {
        string path = home.ControlSocket;
        // The socket is bound under a name that is four bytes longer before it is moved into place.
        int limit = ControlProtocol.MaxSocketPathBytes - NewSuffix.Length;
        return Encoding.UTF8.GetByteCount(path) <= limit
            ? path
            : throw new UserErrorException(
                $"the state folder's path is too long for a socket: '{path}' has more than {limit} "
                + "bytes; set TESSERA_HOME to a shorter one");
    }

    private const string NewSuffix = ".new";

    private static void SetLimits(KestrelServerLimits limits)
    {
        limits.MaxConcurrentConnections = ControlProtocol.MaxConnections;
        limits.MaxRequestBodySize = ControlProtocol.MaxRequestBytes;
        // A follower may be paused for hours ('tessera logs -f | less'), which is no attack.
        limits.MinResponseDataRate = null;
    }

    /// <summary>
    /// Binds beside the final name, takes every right but the owner's away, then moves it into
    /// place: at no moment can another user connect, and a stale file is replaced in one step.
    /// </summary>
    private static Socket BindOwnerOnly(EndPoint endpoint)
    {
        string path = ((UnixDomainSocketEndPoint)endpoint).ToString();
        string newPath = path + NewSuffix;
        File.Delete(newPath);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint(newPath));
            File.SetUnixFileMode(newPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            socket.Listen(ControlProtocol.MaxConnections);
            File.Move(newPath, path, overwrite: true);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private sealed class Application(ControlEndpoints endpoints) : IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(IFeatureCollection contextFeatures) =>
            new DefaultHttpContext(contextFeatures);

        public Task ProcessRequestAsync(HttpContext context) => endpoints.AnswerAsync(context);

        public void DisposeContext(HttpContext context, Exception? exception)
        {
        }
    }
}
