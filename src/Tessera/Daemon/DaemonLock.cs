using System.Globalization;
using Tessera.Cli;
using Tessera.Stack;

namespace Tessera.Daemon;

/// <summary>
/// The proof that this daemon owns the state folder: an exclusive flock(2) on
/// <see cref="TesseraHome.LockFile"/>, which the kernel gives back however the daemon ends.
/// </summary>
internal sealed class DaemonLock : IDisposable
{
    private const int MaxAttempts = 100;

    private readonly FileStream _file;
    private readonly string _path;

    private DaemonLock(FileStream file, string path)
    {
        _file = file;
        _path = path;
    }

    /// <exception cref="UserErrorException">Another daemon owns the folder; says which.</exception>
    public static DaemonLock Take(TesseraHome home)
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            FileStream file;
            try
            {
                file = new FileStream(
                    home.LockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException)
            {
                throw new UserErrorException(
                    $"another daemon{ReadOwner(home.LockFile)} already runs on {home.Path}; "
                    + "name another folder with TESSERA_HOME, or end that one with "
                    + "`tessera daemon stop`", ExitCode.DaemonAlreadyRuns);
            }

            // The last owner may have deleted the file between our open and our lock; then we hold
            // a lock that nobody else can see.
            string token = $"{Environment.ProcessId} {Guid.NewGuid():N}\n";
            file.SetLength(0);
            file.Write(System.Text.Encoding.ASCII.GetBytes(token));
            file.Flush();
            if (Read(home.LockFile) == token)
            {
                return new DaemonLock(file, home.LockFile);
            }

            file.Dispose();
        }

        throw new UserErrorException(
            $"{home.LockFile} could not be locked: it is deleted again and again",
            UserErrorException.Failed);
    }

    /// <summary>Deletes the file while it is still locked, then gives the lock back.</summary>
    public void Dispose()
    {
        File.Delete(_path);
        _file.Dispose();
    }

    private static string ReadOwner(string path)
    {
        string owner = Read(path)?.Split(' ')[0] ?? "";
        return int.TryParse(owner, CultureInfo.InvariantCulture, out int pid) ? $" (pid {pid})" : "";
    }

    /// <summary>
    /// Reads past the lock: sharing everything makes .NET take no lock of its own.
    /// </summary>
    private static string? Read(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read,
                FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(file);
            return reader.ReadToEnd();
        }
        catch (IOException)
        {
            return null;
        }
    }
}
