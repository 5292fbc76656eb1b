using System.Runtime.InteropServices;
using Tessera.Cli;
using Tessera.Proxy;
using Tessera.Proxy.Nginx;

namespace Tessera.Nginx;

/// <summary>
/// <c>tessera nginx</c>, and the program under the name <c>nginx</c>: the balancer alone, by
/// nginx's files, options, signals and messages.
/// </summary>
internal static class NginxCommand
{
    private const string Name = "nginx";

    /// <summary>Whether the program was started as nginx; the rest are its arguments.</summary>
    public static bool IsMeant(string[] arguments, out string[] rest)
    {
        bool isByName = Path.GetFileName(CommandName()) == Name;
        bool isByCommand = !isByName && arguments is [Name, ..];
        rest = isByCommand ? arguments[1..] : arguments;
        return isByName || isByCommand;
    }

    /// <summary>Returns nginx's exit code.</summary>
    public static async Task<int> RunAsync(string[] arguments, Caller caller)
    {
        try
        {
            NginxArguments parsed = NginxArguments.Parse(arguments);
            NginxConfig config = NginxReader.Read(parsed.Source);
            if (parsed.IsTest)
            {
                string file = Path.Combine(parsed.Prefix, parsed.File);
                await caller.Error.WriteLineAsync(
                    $"nginx: the configuration file {file} syntax is ok\n"
                    + $"nginx: configuration file {file} test is successful");
                return ExitCode.Ok;
            }

            await ServeAsync(config);
            return ExitCode.Ok;
        }
        catch (NginxConfigException error)
        {
            await caller.Error.WriteLineAsync($"nginx: [emerg] {error.Message}");
            return ExitCode.Failed;
        }
    }

    private static async Task ServeAsync(NginxConfig config)
    {
        var end = new TaskCompletionSource();
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using var quit = PosixSignalRegistration.Create(PosixSignal.SIGQUIT, End);
        await using var server = new ProxyServer(config.Options);
        foreach (ListenFailure failure in server.Apply(config.Proxy))
        {
            throw new NginxConfigException($"bind() to {failure.Address} failed ({failure.Reason})");
        }

        await File.WriteAllTextAsync(config.Process.PidFile, $"{Environment.ProcessId}\n");
        await end.Task;
        File.Delete(config.Process.PidFile);

        void End(PosixSignalContext context)
        {
            context.Cancel = true;
            end.TrySetResult();
        }
    }

    /// <summary>As it was called: the name of a symbolic link, not of what it leads to.</summary>
    private static string CommandName()
    {
        string commandLine = File.ReadAllText("/proc/self/cmdline");
        return commandLine[..Math.Max(0, commandLine.IndexOf('\0'))];
    }
}
