using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>The program under the name nginx, as scripts start and stop it.</summary>
public sealed class NginxProcessTests : IAsyncDisposable
{
    private readonly string _prefix =
        Directory.CreateTempSubdirectory("tessera-process-").FullName + "/";

    private readonly int _port = FreePorts.Next();
    private readonly List<RunningCommand> _commands = [];

    public NginxProcessTests()
    {
        Directory.CreateDirectory(_prefix + "logs");
        File.CreateSymbolicLink(_prefix + "nginx", Repository.Binary);
        Configure("daemon off;", "return 200 one;");
    }

    private string PidFile => _prefix + "logs/nginx.pid";

    public async ValueTask DisposeAsync()
    {
        if (File.Exists(PidFile))
        {
            await Nginx("-s", "stop").WaitAsync();
            await UntilAsync(() => !File.Exists(PidFile), "it ends");
        }

        foreach (RunningCommand command in _commands)
        {
            await command.DisposeAsync();
        }

        Directory.Delete(_prefix, recursive: true);
    }

    [Fact]
    public async Task Goes_into_the_background_and_serves_when_the_command_returns()
    {
        Configure("", "return 200 one;");
        (await Nginx().WaitAsync()).ShouldSucceed().Errors.ShouldNotContain("[");
        (await AskAsync()).ShouldEndWith("one");
        int.Parse(File.ReadAllText(PidFile), CultureInfo.InvariantCulture).ShouldBeGreaterThan(1);
        (await Nginx("-s", "quit").WaitAsync()).ShouldSucceed();
        await UntilAsync(() => !File.Exists(PidFile), "it ends");
    }

    [Fact]
    public async Task Says_in_the_foreground_why_it_does_not_start_in_the_background()
    {
        Configure("", "return 200 one;");
        using var taken = new TcpListener(IPAddress.Loopback, _port);
        taken.Start();
        CommandResult result = (await Nginx().WaitAsync()).ShouldExitWith(1);
        result.Errors.ShouldContain(
            $"nginx: [emerg] bind() to 127.0.0.1:{_port} failed (98: Address already in use)");
        result.Errors.ShouldContain("nginx: [emerg] still could not bind()");
        File.Exists(PidFile).ShouldBeFalse();
    }

    [Fact]
    public async Task Reloads_a_new_configuration_and_keeps_the_old_one_when_it_is_broken()
    {
        await StartAsync();
        Configure("daemon off;", "return 200 two;");
        (await Nginx("-s", "reload").WaitAsync()).ShouldSucceed();
        await UntilAsync(async () => (await AskAsync()).EndsWith("two"), "it reloads");
        Configure("daemon off;", "nonsense;");
        int pid = int.Parse(File.ReadAllText(PidFile), CultureInfo.InvariantCulture);
        await Processes.SignalAsync(pid, "HUP");
        await UntilAsync(
            () => ErrorLog.Contains("unknown directive \"nonsense\" in", StringComparison.Ordinal),
            "it says why");
        (await AskAsync()).ShouldEndWith("two");

        // As with nginx, no signal is sent in the name of a file that is broken.
        Configure("daemon off;", "return 200 two;");
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("192.0.2.1")]
    public async Task A_reload_whose_address_cannot_be_had_changes_nothing(string host)
    {
        await StartAsync();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        string file = _prefix + "nginx.conf";
        string text = await File.ReadAllTextAsync(file);
        await File.WriteAllTextAsync(file, text
            .Replace("return 200 one;", "return 200 two;", StringComparison.Ordinal)
            .Replace($"127.0.0.1:{_port}", $"{host}:{port}", StringComparison.Ordinal));
        int pid = int.Parse(File.ReadAllText(PidFile), CultureInfo.InvariantCulture);
        await Processes.SignalAsync(pid, "HUP");
        await UntilAsync(
            () => ErrorLog.Contains($"bind() to {host}:{port} failed", StringComparison.Ordinal),
            "it says why");
        (await AskAsync()).ShouldEndWith("one");
        await UntilAsync(
            () => host != "127.0.0.1"
                || ErrorLog.Contains("still could not bind()", StringComparison.Ordinal),
            "it gives up");
        (await AskAsync()).ShouldEndWith("one");
        await File.WriteAllTextAsync(file, text);
    }

    [Fact]
    public async Task The_end_comes_before_a_reload_that_waits_for_an_address()
    {
        RunningCommand nginx = await StartAsync();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        string file = _prefix + "nginx.conf";
        string text = await File.ReadAllTextAsync(file);
        await File.WriteAllTextAsync(file, text.Replace(
            $"127.0.0.1:{_port}", taken.LocalEndpoint.ToString(), StringComparison.Ordinal));
        await nginx.SignalAsync("HUP");
        await UntilAsync(
            () => ErrorLog.Contains("try again to bind()", StringComparison.Ordinal), "it waits");
        await nginx.SignalAsync("TERM");
        (await nginx.WaitAsync()).ShouldSucceed();
        ErrorLog.ShouldNotContain("still could not bind()");
    }

    [Fact]
    public async Task Ends_gracefully_when_the_last_request_has_its_answer()
    {
        using var backend = new TcpListener(IPAddress.Loopback, 0);
        backend.Start();
        Configure("daemon off;", $"proxy_pass http://{backend.LocalEndpoint};");
        RunningCommand nginx = await StartAsync();
        Task<string> answer = AskAsync();
        using TcpClient request = await backend.AcceptTcpClientAsync();
        using var idle = new TcpClient("127.0.0.1", _port);
        await nginx.SignalAsync("QUIT");
        (await idle.GetStream().ReadAsync(new byte[1])).ShouldBe(0, "an idle connection ends");
        nginx.HasExited.ShouldBeFalse();
        await request.GetStream().WriteAsync(
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"u8.ToArray());
        (await answer).ShouldEndWith("late");
        (await nginx.WaitAsync()).ShouldSucceed();
        File.Exists(PidFile).ShouldBeFalse();
    }

    [Fact]
    public async Task Ends_at_once_when_it_is_told_to()
    {
        using var backend = new TcpListener(IPAddress.Loopback, 0);
        backend.Start();
        Configure("daemon off;", $"proxy_pass http://{backend.LocalEndpoint};");
        RunningCommand nginx = await StartAsync();
        Task<string> answer = AskAsync();
        using TcpClient request = await backend.AcceptTcpClientAsync();
        await nginx.SignalAsync("TERM");
        (await nginx.WaitAsync()).ShouldSucceed();
        (await answer).ShouldNotContain("200 OK");
    }

    [Fact]
    public async Task Goes_on_in_new_files_when_logs_are_reopened()
    {
        RunningCommand nginx = await StartAsync();
        await AskAsync();
        string log = _prefix + "logs/access.log";
        await UntilAsync(() => new FileInfo(log).Length > 0, "a line is there");
        File.Move(log, log + ".old");
        await AskAsync();
        await UntilAsync(
            () => File.ReadAllLines(log + ".old").Length == 2, "the old file is written to");
        await nginx.SignalAsync("USR1");
        await UntilAsync(() => File.Exists(log), "the new file is there");
        await AskAsync();
        await UntilAsync(() => File.ReadAllLines(log).Length == 1, "it has a line");
    }

    [Fact]
    public async Task Tells_its_version_and_what_it_is_built_with()
    {
        CommandResult result = (await Nginx("-V").WaitAsync()).ShouldSucceed();
        result.Errors.ShouldStartWith("nginx version: nginx/1.");
        result.Errors.ShouldContain("configure arguments: ");
        result.Errors.ShouldContain("--with-http_stub_status_module");
        result.Errors.ShouldContain("--without-http_fastcgi_module");
        (await Nginx("-x").WaitAsync()).ShouldExitWith(1)
            .Errors.ShouldBe("nginx: invalid option: \"x\"\n");
    }

    private static Task UntilAsync(Func<bool> condition, string what) =>
        Eventually.HoldsAsync(what, condition);

    private static Task UntilAsync(Func<Task<bool>> condition, string what) =>
        Eventually.HoldsAsync(what, condition);

    private string ErrorLog => File.ReadAllText(_prefix + "logs/error.log");

    private void Configure(string main, string location) => File.WriteAllText(
        _prefix + "nginx.conf",
        $"{main}\nevents {{}}\nhttp {{ access_log logs/access.log; server {{\n"
        + $"listen 127.0.0.1:{_port};\nlocation / {{ {location} }} }} }}\n");

    private RunningCommand Nginx(params string[] arguments)
    {
        var command = new RunningCommand(new ProcessStartInfo(
            _prefix + "nginx", ["-p", _prefix, "-c", "nginx.conf", .. arguments]));
        _commands.Add(command);
        return command;
    }

    private async Task<RunningCommand> StartAsync()
    {
        RunningCommand nginx = Nginx();
        await UntilAsync(() => File.Exists(PidFile), "it serves");
        return nginx;
    }

    private async Task<string> AskAsync()
    {
        using var client = new TcpClient("127.0.0.1", _port);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync(
            "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"u8.ToArray());
        try
        {
            using var reader = new StreamReader(stream, Encoding.ASCII);
            return await reader.ReadToEndAsync();
        }
        catch (IOException reset)
        {
            return reset.Message;
        }
    }
}
