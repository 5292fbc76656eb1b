using System.Globalization;
using System.Text;
using Tessera.Linux.Processes;
using Tessera.Stack;

namespace Tessera.Daemon;

/// <summary>
/// The proof that this daemon owns the state folder: an exclusive lock on
/// <see cref="TesseraHome.LockFile"/>, which the kernel gives back however the daemon ends.
/// </summary>
internal sealed class DaemonLock : IDisposable
{
    private const int MaxAttempts = 100;

    private readonly FileLock _lock;
    private readonly string _path;
    private bool _isOwner;

    private DaemonLock(FileLock held, string path, bool isOwner)
    {
        _lock = held;
        _path = path;
        _isOwner = isOwner;
    }

    /// <summary>For passing the lock on to a successor, who then shares it.</summary>
    public int Descriptor => _lock.Descriptor;

    /// <summary>
    /// The lock that a predecessor has passed on. Shared with it until <see cref="Claim"/>: if this
    /// process ends before, the predecessor still has it.
    /// </summary>
    public static DaemonLock Inherit(TesseraHome home, int descriptor) =>
        new(FileLock.FromDescriptor(descriptor), home.LockFile, isOwner: false);

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
                var taken = new DaemonLock(held, home.LockFile, isOwner: true);
                taken.Claim();
                return taken;
            }

            held.Dispose();
        }

        throw new UserErrorException(
            $"{home.LockFile} could not be locked: it is deleted again and again",
            UserErrorException.Failed);
    }

    /// <summary>The state folder is this process's alone.</summary>
    public void Claim()
    {
        _lock.Write(Encoding.ASCII.GetBytes($"{Environment.ProcessId}\n"));
        _isOwner = true;
    }

    /// <summary>A successor has the lock: this process lets go of its share.</summary>
    public void Leave()
    {
        _isOwner = false;
        _lock.Dispose();
    }

    /// <summary>
    /// Deletes the file while it is still locked, then gives the lock back; a share of it is only
    /// given back.
    /// </summary>
    public void Dispose()
    {
        if (_isOwner)
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
