using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Tessera.EndToEnd.Harness;

namespace Tessera.EndToEnd.Nginx;

/// <summary>
/// One program that serves an nginx configuration in the foreground, from a prefix folder of its
/// own with <c>html</c> and <c>logs</c>. Removed with everything it wrote when disposed. One flow
/// uses it at a time.
/// </summary>
public sealed partial class NginxServer : IAsyncDisposable
{
    private const int MaxAnswerBytes = 4 * 1_024 * 1_024;
    private readonly int[] _ports;
    private readonly RunningCommand _process;

    private NginxServer(string prefix, int[] ports, RunningCommand process)
    {
        Prefix = prefix;
        _ports = ports;
        _process = process;
    }

    /// <summary>The folder that relative names begin at, with a slash at its end.</summary>
    public string Prefix { get; }

    public int Pid => _process.Pid;

    public string Errors => _process.Errors;

    /// <summary>What <c>%%PORT_n%%</c> stands for.</summary>
    public int Port(int number = 0) => _ports[number];

    /// <summary>The text of a file below the prefix; empty when there is none.</summary>
    public string ReadFile(string name) =>
        File.Exists(Prefix + name) ? File.ReadAllText(Prefix + name) : "";

    public Task SignalAsync(string signal) => _process.SignalAsync(signal);

    public Task<CommandResult> WaitAsync() => _process.WaitAsync();

    /// <param name="program">/usr/sbin/nginx, or a link of that name.</param>
    /// <param name="configuration">
    /// With <c>%%PORT_n%%</c>, one for each port, and <c>%%PREFIX%%</c>.
    /// </param>
    /// <param name="files">Text by name below the prefix.</param>
    public static async Task<NginxServer> StartAsync(
        string program, string configuration, IReadOnlyDictionary<string, string> files)
    {
        string prefix = Directory.CreateTempSubdirectory("tessera-nginx-").FullName + "/";
        Directory.CreateDirectory(prefix + "logs");
        Directory.CreateDirectory(prefix + "html");
        foreach ((string name, string text) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(prefix + name)!);
            await File.WriteAllTextAsync(prefix + name, text);
            File.SetLastWriteTimeUtc(
                prefix + name, new DateTime(2026, 5, 6, 7, 8, 9, DateTimeKind.Utc));
        }

        int count = PortMark().Matches(configuration)
            .Select(m => int.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture) + 1)
            .DefaultIfEmpty(0).Max();
        int[] ports = [.. Enumerable.Range(0, count).Select(_ => FreePorts.Next())];
        int[] listening = [.. ListenMark().Matches(configuration).Select(match =>
            ports[int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)])];
        configuration = PortMark().Replace(configuration, match => ports[int.Parse(
            match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)].ToString(
                CultureInfo.InvariantCulture));
        await File.WriteAllTextAsync(
            prefix + "nginx.conf",
            configuration.Replace("%%PREFIX%%", prefix.TrimEnd('/'), StringComparison.Ordinal));
        var start = new ProcessStartInfo(program);
        string[] arguments =
        [
            "-p", prefix, "-c", prefix + "nginx.conf", "-e", "logs/error.log", "-g",
            $"daemon off; user root; pid {prefix}nginx.pid; error_log {prefix}logs/error.log info;",
        ];
        Array.ForEach(arguments, start.ArgumentList.Add);
        var server = new NginxServer(prefix, ports, new RunningCommand(start));
        try
        {
            await server.UntilItListensAsync(listening);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Everything that is answered to some bytes, to the end of the connection or until nothing
    /// more has come for <paramref name="quiet"/>.
    /// </summary>
    public async Task<string> AskAsync(string request, int port = 0, TimeSpan? quiet = null)
    {
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync("127.0.0.1", Port(port));
        Socket socket = client.Client;
        await socket.SendAsync(Encoding.Latin1.GetBytes(request));
        var answer = new StringBuilder();
        byte[] buffer = new byte[64 * 1_024];
        while (answer.Length < MaxAnswerBytes)
        {
            using var limit = new CancellationTokenSource(quiet ?? TimeSpan.FromSeconds(10));
            try
            {
                int received = await socket.ReceiveAsync(buffer, limit.Token);
                if (received == 0)
                {
                    break;
                }

                answer.Append(Encoding.Latin1.GetString(buffer, 0, received));
            }
            catch (OperationCanceledException)
            {
                answer.Append("<nothing more came>");
                break;
            }
            catch (SocketException reset)
            {
                answer.Append(CultureInfo.InvariantCulture, $"<{reset.SocketErrorCode}>");
                break;
            }
        }

        return answer.ToString();
    }

    /// <summary>
    /// A text without what must differ between two servers: ports, folders, dates, versions.
    /// </summary>
    public string Normalize(string text)
    {
        for (int i = 0; i < _ports.Length; i++)
        {
            text = text.Replace(
                _ports[i].ToString(CultureInfo.InvariantCulture), $"PORT{i}",
                StringComparison.Ordinal);
        }

        text = text.Replace(Prefix, "PREFIX/", StringComparison.Ordinal);
        text = DateField().Replace(text, "Date: DATE");
        return Version().Replace(text, "nginx/VERSION");
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            // nginx's workers end with their master only when it is asked.
            await _process.SignalAsync("TERM");
            await Eventually.HoldsAsync("the server ended", () => _process.HasExited);
        }

        await _process.DisposeAsync();
        Directory.Delete(Prefix, recursive: true);
    }

    private async Task UntilItListensAsync(int[] ports) => await Eventually.HoldsAsync(
        $"it listens on {string.Join(", ", ports)}",
        () => _process.HasExited
            ? throw new InvalidOperationException(
                $"it ended: {_process.Errors}{ReadFile("logs/error.log")}")
            : File.Exists(Prefix + "nginx.pid") && !Array.Exists(ports, FreePorts.IsFree));

    [GeneratedRegex("%%PORT_([0-9]+)%%")]
    private static partial Regex PortMark();

    [GeneratedRegex("listen +[^;]*%%PORT_([0-9]+)%%")]
    private static partial Regex ListenMark();

    [GeneratedRegex("(?m)^Date: [^\r\n]*")]
    private static partial Regex DateField();

    [GeneratedRegex("nginx/[0-9]+[.][0-9]+[.][0-9]+")]
    private static partial Regex Version();
}
