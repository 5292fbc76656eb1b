using System.Globalization;
using System.Text;
using Tessera.Linux.Processes;
using Tessera.Stack;

namespace Tessera.Daemon;

/// <summary>
/// The proof that this daemon owns the state folder: an exclusive lock on
/// <see cref="TesseraHome.LockFile"/>, which the kernel gives back however the daemon ends.
/// Threading: one user at a time.
/// </summary>
internal sealed class DaemonLock : IDisposable
{
    private const int MaxAttempts = 100;

    private readonly string _path;
    private FileLock _lock;

    private DaemonLock(FileLock held, string path)
    {
        _lock = held;
        _path = path;
    }

    /// <exception cref="UserErrorException">Another daemon owns the folder; says which.</exception>
    public static DaemonLock Take(TesseraHome home)
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            if (FileLock.TryTake(home.LockFile) is not { } held)
            {
                throw new UserErrorException(
                    $"another daemon{ReadOwner(home.LockFile)} already runs on {home.Path}; "
                    + "name another folder with TESSERA_HOME, or end that one with "
                    + "`tessera daemon stop`", ExitCode.DaemonAlreadyRuns);
            }

            // The last owner may have deleted the file between our open and our lock; then we hold
            // a lock that nobody else can see.
            if (!held.IsDeleted)
            {
                held.Write(Encoding.ASCII.GetBytes($"{Environment.ProcessId}\n"));
                return new DaemonLock(held, home.LockFile);
            }

            held.Dispose();
        }

        throw new UserErrorException(
            $"{home.LockFile} could not be locked: it is deleted again and again",
            UserErrorException.Failed);
    }

    /// <summary>Somebody deleted the file: another daemon may own the folder by now.</summary>
    public bool IsLost => _lock.IsDeleted;

    /// <summary>Takes a lock that was lost anew; false when another daemon was faster.</summary>
    /// <exception cref="IOException">The file cannot be made.</exception>
    public bool TryTakeAgain()
    {
        if (FileLock.TryTake(_path) is not { } held)
        {
            return false;
        }

        held.Write(Encoding.ASCII.GetBytes($"{Environment.ProcessId}\n"));
        _lock.Dispose();
        _lock = held;
        return true;
    }

    /// <summary>
    /// Deletes the file while it is still locked, then gives the lock back. One that was lost is
    /// not ours to delete.
    /// </summary>
    public void Dispose()
    {
        if (!IsLost)
        {
            File.Delete(_path);
        }

        _lock.Dispose();
    }

    private static string ReadOwner(string path)
    {
        try
        {
            // Sharing everything, .NET takes no lock of its own that would meet the owner's.
            using var file = new FileStream(
                path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(file);
            return int.TryParse(reader.ReadLine(), CultureInfo.InvariantCulture, out int pid)
                ? $" (pid {pid})"
                : "";
        }
        catch (IOException)
        {
            return "";
        }
    }
}
