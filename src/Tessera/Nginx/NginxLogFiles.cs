using Tessera.Proxy.Nginx;

namespace Tessera.Nginx;

/// <summary>The files that a configuration logs to. Stateless.</summary>
internal static class NginxLogFiles
{
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
}
