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
    public const string Name = "nginx";

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
        // (1) What is asked for?
        SignalQueue.EndIgnoring();
        NginxArguments parsed;
        try
        {
            parsed = NginxArguments.Parse(arguments);
        }
        catch (NginxUsageException error)
        {
            await caller.Error.WriteAsync($"nginx: {error.Message}\n");
            return ExitCode.Failed;
        }

        if (parsed.ShowsVersion)
        {
            await caller.Error.WriteAsync(NginxBuild.Describe(parsed));
            if (!parsed.IsTest)
            {
                return ExitCode.Ok;
            }
        }

        // (2) The configuration, without which nothing is done, not even a signal sent.
        var readiness = NginxReadiness.FromEnvironment();
        NginxSource source = parsed.Source;
        var log = new StartLog(caller.Error, source.ErrorLogFile);
        NginxConfig config;
        try
        {
            config = NginxReader.Read(source);
            foreach (string warning in readiness.IsAwaited ? [] : config.Warnings)
            {
                log.Write(ErrorLevel.Warning, warning);
            }

            if (parsed.Signal is { } signal)
            {
                return NginxSignal.Send(signal, config.Process.PidFile, log);
            }

            NginxLogFiles.Open(config);
            if (config.Proxy.ErrorLogs is [ErrorLogConfig first, ..])
            {
                log.GoOnIn(first);
            }

            NginxTemporaryFolders.Make(config);
        }
        catch (NginxConfigException error)
        {
            if (error.IsBehindSyntax)
            {
                await TellSyntaxAsync(parsed, source, caller);
            }

            log.Write(ErrorLevel.Emergency, error.Message);
            if (parsed.IsTest)
            {
                await caller.Error.WriteAsync(
                    $"nginx: configuration file {source.MainFile} test failed\n");
            }

            return ExitCode.Failed;
        }

        // (3) A test, or the real thing, in the background or here.
        if (parsed.IsTest)
        {
            await TellTestAsync(parsed, source, config, caller);
            return ExitCode.Ok;
        }

        var inheritance = NginxInheritance.FromEnvironment();
        return config.Process.IsDaemon && !readiness.IsAwaited && inheritance is null
            ? await NginxBackground.StartAsync(arguments, caller, log)
            : await new NginxServer(source, log, readiness, inheritance, arguments)
                .RunAsync(config);
    }

    private static async Task TellTestAsync(
        NginxArguments parsed, NginxSource source, NginxConfig config, Caller caller)
    {
        if (!parsed.IsQuiet)
        {
            await TellSyntaxAsync(parsed, source, caller);
            await caller.Error.WriteAsync(
                $"nginx: configuration file {source.MainFile} test is successful\n");
        }

        if (parsed.IsDump)
        {
            foreach ((string file, string text) in config.Files)
            {
                await caller.Output.WriteAsync($"# configuration file {file}:\n{text}\n");
            }

            await caller.Output.FlushAsync();
        }
    }

    private static async Task TellSyntaxAsync(
        NginxArguments parsed, NginxSource source, Caller caller)
    {
        if (parsed is { IsTest: true, IsQuiet: false })
        {
            await caller.Error.WriteAsync(
                $"nginx: the configuration file {source.MainFile} syntax is ok\n");
        }
    }

    /// <summary>As it was called: the name of a symbolic link, not of what it leads to.</summary>
    public static string CommandName()
    {
        string commandLine = File.ReadAllText("/proc/self/cmdline");
        return commandLine[..Math.Max(0, commandLine.IndexOf('\0'))];
    }
}
