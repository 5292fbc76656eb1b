<<<<<<< HEAD
=======
using System.Collections.Immutable;
using Tessera.Proxy;
>>>>>>> ngc-next
using Tessera.Proxy.Nginx;

namespace Tessera.Nginx;

/// <summary>The files that a configuration logs to. Stateless.</summary>
internal static class NginxLogFiles
{
<<<<<<< HEAD
    /// <summary>Makes each file that is not there, as nginx does before it serves.</summary>
    /// <exception cref="NginxConfigException">A file cannot be opened.</exception>
    public static void Open(NginxConfig config)
    {
        foreach (string file in config.LogFiles)
        {
            if (LogFileAccess.TryCreate(file) is { } problem)
            {
                throw new NginxConfigException(problem) { IsBehindSyntax = true };
            }
        }
    }
=======
    /// <summary>
    /// Makes each file that is not there, as nginx does before it serves anything. A log that
    /// nobody asked for, because it is nginx's default, is left out where it cannot be written.
    /// </summary>
    /// <exception cref="NginxConfigException">A file cannot be opened.</exception>
    public static NginxConfig WithLogsOpened(this NginxConfig config)
    {
        string? missing = config.Process.DefaultAccessLog is { } unasked
            && UsesOf(config.Proxy).Contains(unasked)
            && LogFileAccess.TryCreate(unasked) is not null ? unasked : null;
        foreach (string file in UsesOf(config.Proxy).Distinct().Where(f => f != missing))
        {
            if (LogFileAccess.TryCreate(file) is { } problem)
            {
                throw new NginxConfigException(problem);
            }
        }

        return missing is null ? config : config with { Proxy = Without(config.Proxy, missing) };
    }

    private static IEnumerable<string> UsesOf(ProxyConfig config)
    {
        IEnumerable<AccessLogConfig> accessLogs = config.Listeners.SelectMany(listener =>
            listener.AccessLogs.Concat(listener.Routes.SelectMany(
                route => route.AccessLogs.IsDefault ? [] : route.AccessLogs)));
        IEnumerable<ErrorLogConfig> errorLogs = config.ErrorLogs.Concat(
            config.Listeners.SelectMany(listener => listener.Routes.SelectMany(
                route => route.ErrorLogs.IsDefault ? [] : route.ErrorLogs)));
        return accessLogs.Where(log => log.Syslog is null && !log.HasVariablePath)
            .Select(log => log.Path)
            .Concat(errorLogs.Where(log => log.Syslog is null && log.Path.Length > 0)
                .Select(log => log.Path));
    }

    private static ProxyConfig Without(ProxyConfig config, string file) => config with
    {
        Listeners =
        [
            .. config.Listeners.Select(listener => listener with
            {
                AccessLogs = Without(listener.AccessLogs, file),
                Routes =
                [
                    .. listener.Routes.Select(route => route with
                    {
                        AccessLogs = Without(route.AccessLogs, file),
                    }),
                ],
            }),
        ],
    };

    private static ImmutableArray<AccessLogConfig> Without(
        ImmutableArray<AccessLogConfig> logs, string file) =>
        logs.IsDefault ? logs : [.. logs.Where(log => log.Path != file)];
>>>>>>> ngc-next
}
