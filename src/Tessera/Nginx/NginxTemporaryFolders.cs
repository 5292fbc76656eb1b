using Tessera.Linux.Processes;
using Tessera.Proxy.Nginx;

namespace Tessera.Nginx;

/// <summary>
/// Folders for temporary files. Who serves with the rights of another user cannot make them later,
/// where that user may not write. Stateless.
/// </summary>
internal static class NginxTemporaryFolders
{
    private const UnixFileMode OwnerOnly =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Makes each that is not there, and gives it to whom it is for.</summary>
    /// <exception cref="NginxConfigException">A folder cannot be made.</exception>
    public static void Make(NginxConfig config)
    {
        if (config.Options.Rights is not { } rights)
        {
            return;
        }

        foreach (string folder in config.TemporaryFolders.Where(f => !Directory.Exists(f)))
        {
            try
            {
                Directory.CreateDirectory(folder, OwnerOnly);
                Fifo.SetOwner(folder, rights.UserId, rights.GroupId);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new NginxConfigException(
                    $"mkdir() \"{folder}\" failed {LogFileAccess.Cause(folder, e)}")
                {
                    IsBehindSyntax = true,
                };
            }
        }
    }
}
