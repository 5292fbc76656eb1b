using System.Globalization;
using Shouldly;
using Tessera.Api;
using Tessera.Stack;
using Xunit;

namespace Tessera.Tests.Api;

/// <summary>
/// The launcher with a shell script in the daemon's place: the script leaves a mark, upon which the
/// test serves the socket.
/// </summary>
public sealed class DaemonLauncherTests : IDisposable
{
    private readonly TemporaryHome _folder = new();
    private readonly FakeController _controller = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Executable => Path.Combine(_folder.Home.Path, "tessera");

    private DaemonLauncher Launcher => new(_folder.Home, Executable, TimeProvider.System);

    public void Dispose()
    {
        foreach (string line in ReadMarks("pids"))
        {
            if (int.TryParse(line, CultureInfo.InvariantCulture, out int pid)
                && Directory.Exists($"/proc/{pid}"))
            {
                System.Diagnostics.Process.GetProcessById(pid).Kill();
            }
        }

        _folder.Dispose();
    }

    [Fact]
    public async Task Nobody_is_started_for_a_command_that_does_not_want_it()
    {
        WriteExecutable("echo started >>\"$TESSERA_HOME/marks\"");
        (await Launcher.ConnectAsync(startIfMissing: false, Token)).ShouldBeNull();
        ReadMarks("marks").ShouldBeEmpty();
    }

    [Fact]
    public async Task A_daemon_that_answers_is_taken_as_it_is()
    {
        WriteExecutable("echo started >>\"$TESSERA_HOME/marks\"");
        await using ControlServer server = await ServeAsync();
        using RemoteController? controller = await Launcher.ConnectAsync(true, Token);
        (await controller!.GetDaemonAsync(Token)).Version.ShouldBe("1.2.3");
        ReadMarks("marks").ShouldBeEmpty();
    }

    [Fact]
    public async Task A_missing_daemon_is_started_in_a_session_and_environment_of_its_own()
    {
        Environment.SetEnvironmentVariable("TESSERA_INSTANCE", "shop-web-1");
        Environment.SetEnvironmentVariable("SECRET_OF_THE_CALLER", "x");
        WriteExecutable(
            """
            echo $$ >>"$TESSERA_HOME/pids"
            exec 5>"$TESSERA_HOME/facts"
            { echo "$@"; pwd; ps -o sid= -p $$; env; readlink /proc/$$/fd/0; } >&5
            echo "out"; echo "err" >&2
            echo started >>"$TESSERA_HOME/marks"
            exec sleep 30
            """);
        Task<RemoteController?> connect = Launcher.ConnectAsync(true, Token);
        await WaitForAsync(() => ReadMarks("marks").Length == 1);
        await using ControlServer server = await ServeAsync();
        using RemoteController? controller = await connect;

        string pid = ReadMarks("pids").ShouldHaveSingleItem();
        string[] facts = ReadMarks("facts");
        facts[0].ShouldBe("daemon --on-demand");
        facts[1].ShouldBe("/");
        facts[2].Trim().ShouldBe(pid);
        facts.ShouldContain($"TESSERA_HOME={_folder.Home.Path}");
        facts.ShouldContain(line => line.StartsWith("PATH=", StringComparison.Ordinal));
        facts.ShouldNotContain(
            line => line.StartsWith("TESSERA_INSTANCE=", StringComparison.Ordinal));
        facts.ShouldNotContain(line => line.StartsWith("SECRET", StringComparison.Ordinal));
        facts[^1].ShouldBe("/dev/null");
        File.ReadAllText(_folder.Home.DaemonLog).ShouldBe("out\nerr\n");
        Environment.SetEnvironmentVariable("TESSERA_INSTANCE", null);
    }

    [Fact]
    public async Task A_daemon_that_cannot_start_is_quoted()
    {
        File.WriteAllText(_folder.Home.DaemonLog, "an older line\n");
        WriteExecutable("seq 1 30 >&2; echo 'port 80 is taken' >&2; exit 1");
        UserErrorException fault = await Should.ThrowAsync<UserErrorException>(
            () => Launcher.ConnectAsync(true, Token));
        fault.ExitCode.ShouldBe(1);
        fault.Message.ShouldStartWith("the daemon could not be started:\n12\n");
        fault.Message.ShouldEndWith("\nport 80 is taken");
        fault.Message.ShouldNotContain("older");
    }

    [Fact]
    public async Task A_daemon_that_cannot_write_its_last_words_is_explained()
    {
        // As on a full disk: nothing new can be made in the folder.
        WriteExecutable("rm -rf \"$TESSERA_HOME\"; echo x >\"$TESSERA_HOME\"; exit 1");
        UserErrorException fault = await Should.ThrowAsync<UserErrorException>(
            () => Launcher.ConnectAsync(true, Token));
        fault.Message.ShouldStartWith(
            $"the daemon could not be started: '{_folder.Home.Path}' cannot be written to: ");
        File.Delete(_folder.Home.Path);
        Directory.CreateDirectory(_folder.Home.Path);
    }

    [Fact]
    public async Task Of_launchers_that_race_all_find_the_one_daemon()
    {
        // As the real one does: whoever gets the lock lives, the others end with 3.
        WriteExecutable(
            """
            exec 9>"$TESSERA_HOME/lock"
            flock -n 9 || exit 3
            echo $$ >>"$TESSERA_HOME/pids"
            echo started >>"$TESSERA_HOME/marks"
            exec sleep 30
            """);
        Task<RemoteController?>[] connects =
            [.. Enumerable.Range(0, 5).Select(_ => Launcher.ConnectAsync(true, Token))];
        await WaitForAsync(() => ReadMarks("marks").Length > 0);
        await Task.Delay(100, Token);
        await using ControlServer server = await ServeAsync();
        foreach (Task<RemoteController?> connect in connects)
        {
            using RemoteController? controller = await connect;
            await controller!.PingAsync(Token);
        }

        ReadMarks("marks").ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_daemon_that_is_just_ending_is_followed_by_another()
    {
        WriteExecutable(
            """
            echo try >>"$TESSERA_HOME/tries"
            [ "$(wc -l <"$TESSERA_HOME/tries")" -ge 2 ] || exit 3
            echo $$ >>"$TESSERA_HOME/pids"
            echo started >>"$TESSERA_HOME/marks"
            exec sleep 30
            """);
        Task<RemoteController?> connect = Launcher.ConnectAsync(true, Token);
        await WaitForAsync(() => ReadMarks("marks").Length == 1);
        await using ControlServer server = await ServeAsync();
        using RemoteController? controller = await connect;
        ReadMarks("tries").Length.ShouldBe(2);
    }

    private Task<ControlServer> ServeAsync() =>
        ControlServer.StartAsync(_folder.Home, _controller, _ => { }, Token);

    private void WriteExecutable(string script)
    {
        File.WriteAllText(Executable, "#!/bin/sh\n" + script + "\n");
        File.SetUnixFileMode(
            Executable, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private string[] ReadMarks(string name)
    {
        string path = Path.Combine(_folder.Home.Path, name);
        return File.Exists(path) ? File.ReadAllLines(path) : [];
    }

    private static async Task WaitForAsync(Func<bool> condition)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TimeSpan.FromSeconds(15));
        while (!condition())
        {
            await Task.Delay(5, limit.Token);
        }
    }
}
