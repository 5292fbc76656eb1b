using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>One process takes another one's place at USR2, as nginx's binaries do.</summary>
public sealed class ReplacementTests : IAsyncDisposable
{
    private readonly string _prefix =
        Directory.CreateTempSubdirectory("tessera-replacement-").FullName + "/";

    private readonly int _port = FreePorts.Next();
    private readonly HashSet<int> _seen = [];

    private string PidFile => _prefix + "nginx.pid";

    private string OldPidFile => PidFile + ".oldbin";

    public async ValueTask DisposeAsync()
    {
        foreach (int pid in _seen.Where(pid => Directory.Exists($"/proc/{pid}")))
        {
            await Processes.SignalAsync(pid, "TERM");
        }

        await Eventually.HoldsAsync("they end", () => !File.Exists(PidFile));
        Directory.Delete(_prefix, recursive: true);
    }

    [Fact]
    public async Task Passes_its_sockets_on_and_leaves()
    {
        int old = await StartAsync();
        int next = await ReplaceAsync(old);
        await Processes.SignalAsync(old, "WINCH");
        await Eventually.HoldsAsync("only the new one answers", async () =>
        {
            for (int i = 0; i < 8; i++)
            {
                if (await AskAsync() != next)
                {
                    return false;
                }
            }

            return true;
        });
        await Processes.SignalAsync(old, "QUIT");
        await Eventually.HoldsAsync("the old one ends", () => !File.Exists(OldPidFile));
        ReadPid(PidFile).ShouldBe(next);
        (await AskAsync()).ShouldBe(next);
        ErrorLog.ShouldContain("using inherited sockets from");
        File.Exists(_prefix + "path.sock").ShouldBeTrue("the path is the new one's");
    }

    [Fact]
    public async Task Comes_back_when_the_new_one_ends()
    {
        int old = await StartAsync();
        int next = await ReplaceAsync(old);
        await Processes.SignalAsync(old, "WINCH");
        await Processes.SignalAsync(next, "QUIT");
        await Eventually.HoldsAsync("the file is the old one's", () => !File.Exists(OldPidFile));
        ReadPid(PidFile).ShouldBe(old);
        (await AskAsync()).ShouldBe(old);
    }

    [Fact]
    public async Task Refuses_no_connection_meanwhile()
    {
        int old = await StartAsync();
        using var end = new CancellationTokenSource();
        Task<int> asking = AskUntilAsync(end.Token);
        await ReplaceAsync(old);
        await Processes.SignalAsync(old, "QUIT");
        await Eventually.HoldsAsync("the old one ends", () => !File.Exists(OldPidFile));
        await end.CancelAsync();
        (await asking).ShouldBeGreaterThan(0);
    }

    private string ErrorLog => File.ReadAllText(_prefix + "error.log");

    /// <summary>How many answers there were; throws when one is missing.</summary>
    private async Task<int> AskUntilAsync(CancellationToken end)
    {
        int count = 0;
        while (!end.IsCancellationRequested)
        {
            (await AskAsync()).ShouldBeGreaterThan(0);
            count++;
        }

        return count;
    }

    private async Task<int> StartAsync()
    {
        File.CreateSymbolicLink(_prefix + "nginx", Repository.Binary);
        await File.WriteAllTextAsync(
            _prefix + "nginx.conf",
            $"worker_processes 2; pid nginx.pid; error_log error.log notice; events {{ }}\n"
            + $"http {{ access_log off; server {{ listen 127.0.0.1:{_port};\n"
            + $"listen unix:{_prefix}path.sock; location / {{ return 200 $pid; }} }} }}\n");
        await using var command = new RunningCommand(new ProcessStartInfo(
            _prefix + "nginx", ["-p", _prefix, "-c", "nginx.conf", "-e", "error.log"]));
        (await command.WaitAsync()).ShouldSucceed();
        int pid = ReadPid(PidFile);
        _seen.Add(pid);
        return pid;
    }

    /// <summary>Returns the number of the process that has come.</summary>
    private async Task<int> ReplaceAsync(int old)
    {
        await Processes.SignalAsync(old, "USR2");
        int next = 0;
        await Eventually.HoldsAsync("the new one has told its number", () =>
        {
            next = File.Exists(PidFile) ? ReadPid(PidFile) : 0;
            return next > 0 && next != old;
        });
        _seen.Add(next);
        ReadPid(OldPidFile).ShouldBe(old);
        return next;
    }

    private static int ReadPid(string file) =>
        int.TryParse(File.ReadAllText(file), CultureInfo.InvariantCulture, out int pid) ? pid : 0;

    /// <summary>The number of the process that answers.</summary>
    private async Task<int> AskAsync()
    {
        using var client = new TcpClient("127.0.0.1", _port);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync("GET / HTTP/1.0\r\n\r\n"u8.ToArray());
        using var reader = new StreamReader(stream, Encoding.ASCII);
        string answer = await reader.ReadToEndAsync();
        return int.Parse(answer.Split("\r\n\r\n")[^1], CultureInfo.InvariantCulture);
    }
}
