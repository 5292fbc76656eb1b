using System.Collections.Immutable;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Tessera.Stack;
using Tessera.Stack.Engines;

namespace Tessera.Api;

/// <summary>
/// A daemon behind its control socket. Cancelling a call hangs up; what that means for a command
/// that changes something is the daemon's decision. Safe from any thread.
/// </summary>
/// <remarks>
/// Every call throws <see cref="DaemonUnreachableException"/> when nobody answers, and a
/// <see cref="UserErrorException"/> with the daemon's own message when it refused or failed; one
/// that yields throws <see cref="DaemonLostException"/> when the daemon dies meanwhile.
/// </remarks>
public sealed class RemoteController : IController, IDisposable
{
    /// <summary>How long a daemon may take that is just taking over from another one.</summary>
    private static readonly TimeSpan HandoverLimit = TimeSpan.FromSeconds(90);

    private static readonly TimeSpan HandoverPause = TimeSpan.FromMilliseconds(50);

    private readonly TesseraHome _home;
    private readonly HttpClient _http;

    public RemoteController(TesseraHome home)
    {
        _home = home;
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = ConnectAsync,
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
        };
        _http = new HttpClient(handler)
        {
            BaseAddress = new Uri("http://tessera"),
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _http.DefaultRequestHeaders.Add(ControlProtocol.VersionHeader, ControlProtocol.Version);
    }

    public IAsyncEnumerable<Progress> UpAsync(UpRequest request, CancellationToken cancellation) =>
        StreamAsync(
            () => Post(ControlProtocol.UpPath, request, ControlJson.Default.UpRequest),
            ControlJson.Default.Progress,
            cancellation);

    public IAsyncEnumerable<Progress> DownAsync(
        DownRequest request, CancellationToken cancellation) =>
        StreamAsync(
            () => Post(ControlProtocol.DownPath, request, ControlJson.Default.DownRequest),
            ControlJson.Default.Progress,
            cancellation);

    public IAsyncEnumerable<Progress> ChangeAsync(
        ChangeRequest request, CancellationToken cancellation) =>
        StreamAsync(
            () => Post(ControlProtocol.ChangePath, request, ControlJson.Default.ChangeRequest),
            ControlJson.Default.Progress,
            cancellation);

    public Task<ImmutableArray<InstanceView>> ListAsync(
        string? project, CancellationToken cancellation) =>
        GetAsync(
            ControlProtocol.InstancesPath + ProjectQuery(project),
            ControlJson.Default.ImmutableArrayInstanceView,
            cancellation);

    public IAsyncEnumerable<LogLine> LogsAsync(LogQuery query, CancellationToken cancellation) =>
        StreamAsync(
            () => Post(ControlProtocol.LogsPath, query, ControlJson.Default.LogQuery),
            ControlJson.Default.LogLine,
            cancellation);

    public IAsyncEnumerable<InstanceEvent> EventsAsync(
        string? project, CancellationToken cancellation) =>
        StreamAsync(
            () => new HttpRequestMessage(
                HttpMethod.Get, ControlProtocol.EventsPath + ProjectQuery(project)),
            ControlJson.Default.InstanceEvent,
            cancellation);

    public Task<DaemonView> GetDaemonAsync(CancellationToken cancellation) =>
        GetAsync(ControlProtocol.DaemonPath, ControlJson.Default.DaemonView, cancellation);

    public async Task<string> GetMetricsAsync(CancellationToken cancellation)
    {
        using HttpResponseMessage response = await SendAsync(
            () => new HttpRequestMessage(HttpMethod.Get, ControlProtocol.MetricsPath),
            cancellation);
        return await response.Content.ReadAsStringAsync(cancellation);
    }

    public IAsyncEnumerable<Progress> StopDaemonAsync(
        bool keepInstances, CancellationToken cancellation) =>
        StreamAsync(
            () => new HttpRequestMessage(
                HttpMethod.Post,
                ControlProtocol.DaemonStopPath
                + (keepInstances ? "?keepInstances=true" : "?keepInstances=false")),
            ControlJson.Default.Progress,
            cancellation);

    public void Dispose() => _http.Dispose();

    /// <summary>
    /// Returns when a daemon answers, of whichever version; throws
    /// <see cref="DaemonUnreachableException"/> when none does.
    /// </summary>
    public async Task PingAsync(CancellationToken cancellation)
    {
        using HttpResponseMessage response = await SendAsync(
            () => new HttpRequestMessage(HttpMethod.Get, ControlProtocol.DaemonPath), cancellation);
    }

    private static string ProjectQuery(string? project) =>
        project is null ? "" : $"?project={Uri.EscapeDataString(project)}";

    private static HttpRequestMessage Post<T>(string path, T body, JsonTypeInfo<T> type)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(body, type);
        if (json.Length > ControlProtocol.MaxRequestBytes)
        {
            // Said here: a server that refuses a body while it is sent can only hang up.
            throw new UserErrorException(ControlProtocol.RequestTooLarge);
        }

        var content = new ByteArrayContent(json);
        content.Headers.ContentType = new MediaTypeHeaderValue(ControlProtocol.JsonMediaType);
        return new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
    }

    private async Task<T> GetAsync<T>(
        string path, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await SendAsync(
            () => new HttpRequestMessage(HttpMethod.Get, path), cancellation);
        return await ReadBodyAsync(response, type, cancellation);
    }

    private async IAsyncEnumerable<T> StreamAsync<T>(
        Func<HttpRequestMessage> makeRequest,
        JsonTypeInfo<T> type,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        using HttpResponseMessage response = await SendAsync(makeRequest, cancellation);
        await using Stream body = await response.Content.ReadAsStreamAsync(cancellation);
        var lines = new LineReader(body, ControlProtocol.MaxLineBytes);
        while (await NextAsync(lines, cancellation) is { } line)
        {
            yield return Decode(line.Span, type);
        }
    }

    /// <summary>
    /// A daemon that has just handed over begins nothing and says so: its successor is asked.
    /// </summary>
    private async Task<HttpResponseMessage> SendAsync(
        Func<HttpRequestMessage> makeRequest, CancellationToken cancellation)
    {
        long begin = TimeProvider.System.GetTimestamp();
        while (true)
        {
            using HttpRequestMessage request = makeRequest();
            HttpResponseMessage response = await SendOnceAsync(request, cancellation);
            if (response.StatusCode != HttpStatusCode.ServiceUnavailable
                || TimeProvider.System.GetElapsedTime(begin) > HandoverLimit)
            {
                return await CheckAsync(request, response, cancellation);
            }

            response.Dispose();
            await Task.Delay(HandoverPause, cancellation);
        }
    }

    private async Task<HttpResponseMessage> SendOnceAsync(
        HttpRequestMessage request, CancellationToken cancellation)
    {
        try
        {
            return await _http.SendAsync(
                request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        }
        catch (HttpRequestException fault)
        {
            throw fault.InnerException switch
            {
                DaemonUnreachableException unreachable => unreachable,
                UserErrorException mistake => mistake,
                _ => new DaemonUnreachableException(
                    $"the daemon of '{_home.Path}' hung up: {fault.Message}", fault),
            };
        }
    }

    private static async Task<HttpResponseMessage> CheckAsync(
        HttpRequestMessage request, HttpResponseMessage response, CancellationToken cancellation)
    {
        if (response.IsSuccessStatusCode && IsVersionAccepted(request, response))
        {
            return response;
        }

        using (response)
        {
            throw await ReadErrorAsync(response, cancellation);
        }
    }

    /// <summary>Status and end of a daemon are understood in every version.</summary>
    private static bool IsVersionAccepted(
        HttpRequestMessage request, HttpResponseMessage response) =>
        VersionOf(response) == ControlProtocol.Version
        || request.RequestUri!.OriginalString.StartsWith(
            ControlProtocol.DaemonPath, StringComparison.Ordinal);

    private static string VersionOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues(
            ControlProtocol.VersionHeader, out IEnumerable<string>? values)
            ? values.First()
            : "";

    private static async Task<T> ReadBodyAsync<T>(
        HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        byte[] body = await response.Content.ReadAsByteArrayAsync(cancellation);
        return Decode(body, type);
    }

    private static async Task<Exception> ReadErrorAsync(
        HttpResponseMessage response, CancellationToken cancellation)
    {
        if (VersionOf(response) != ControlProtocol.Version)
        {
            return new UserErrorException(
                ControlProtocol.VersionMismatch(VersionOf(response)), UserErrorException.Failed);
        }

        byte[] body = await response.Content.ReadAsByteArrayAsync(cancellation);
        try
        {
            if (JsonSerializer.Deserialize(body, ControlJson.Default.ErrorBody) is { } error)
            {
                return new UserErrorException(error.Error.Message, error.Error.ExitCode);
            }
        }
        catch (JsonException)
        {
            // Not ours to read; the status is all there is to say.
        }

        return new UserErrorException(
            $"the daemon answered with status {(int)response.StatusCode}",
            UserErrorException.Failed);
    }

    private async ValueTask<ReadOnlyMemory<byte>?> NextAsync(
        LineReader lines, CancellationToken cancellation)
    {
        try
        {
            return await lines.ReadAsync(cancellation);
        }
        catch (Exception fault) when (fault is IOException or HttpRequestException)
        {
            cancellation.ThrowIfCancellationRequested();
            throw new DaemonLostException(
                $"the daemon ended in the middle of its answer; '{_home.DaemonLog}' may say why",
                fault);
        }
    }

    private static T Decode<T>(ReadOnlySpan<byte> json, JsonTypeInfo<T> type)
    {
        if (json.StartsWith("{\"error\":"u8)
            && JsonSerializer.Deserialize(json, ControlJson.Default.ErrorBody) is { } error)
        {
            throw new UserErrorException(error.Error.Message, error.Error.ExitCode);
        }

        return JsonSerializer.Deserialize(json, type)
            ?? throw new JsonException("the daemon answered with null");
    }

    private async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(
                new UnixDomainSocketEndPoint(_home.ControlSocket), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (SocketException fault) when (fault.SocketErrorCode == SocketError.AccessDenied)
        {
            socket.Dispose();
            throw new UserErrorException(
                $"no right to use the daemon of '{_home.Path}': its socket belongs to another user",
                UserErrorException.Failed);
        }
        catch (SocketException fault)
        {
            socket.Dispose();
            throw new DaemonUnreachableException(
                $"no daemon answers on '{_home.ControlSocket}' ({fault.Message})", fault);
        }
        catch (ArgumentOutOfRangeException)
        {
            socket.Dispose();
            throw new UserErrorException(
                $"the state folder's path is too long for a socket: '{_home.Path}'; "
                + "set TESSERA_HOME to a shorter one");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
