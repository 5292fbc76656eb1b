using System.Globalization;
using System.Text;
using Tessera.Linux;
using Tessera.Linux.Files;

namespace Tessera.Proxy.Files;

/// <summary>
/// A file that bytes are kept in for a while, appended and read at any place. Its calls may wait
/// for a disk. Owned by one reactor.
/// </summary>
internal sealed class TemporaryFile
{
    /// <summary>Names that another program may have taken already.</summary>
    private const int MaxAttempts = 64;

    /// <summary>Only this user's: nginx's 0600, and 0700 of the folders.</summary>
    private const uint FileMode = 0x180;
    private const uint FolderMode = 0x1C0;

    /// <summary>Of all threads: nginx's ngx_temp_number.</summary>
    private static long _lastNumber = Random.Shared.Next(1_000_000);

    private readonly byte[] _path;
    private int _descriptor;
    private bool _hasName;

    private TemporaryFile(byte[] path, int descriptor, bool hasName)
    {
        _path = path;
        _descriptor = descriptor;
        _hasName = hasName;
    }

    public long Length { get; private set; }

    /// <summary>The whole name; nobody finds the file there unless it keeps it.</summary>
    public ReadOnlySpan<byte> Path => _path.AsSpan(0, _path.Length - 1);

    /// <param name="keepsName">
    /// Others may find it. One without a name is gone when this program is, however it ends.
    /// </param>
    public static SyscallResult TryCreate(
        TemporaryFolderConfig folder, bool keepsName, out TemporaryFile? file)
    {
        file = null;
        SyscallResult created = default;
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            byte[] path = NextPath(folder);
            created = FileCalls.CreateNew(path, FileMode);
            if (created.Errno == FileErrno.NoEntry)
            {
                MakeFolders(path, FolderMode);
                created = FileCalls.CreateNew(path, FileMode);
            }

            if (created.IsSuccess)
            {
                file = new TemporaryFile(path, created.IntValue, keepsName);
                if (!keepsName)
                {
                    FileCalls.Remove(path);
                }

                return created;
            }

            if (created.Errno != FileErrno.Exists)
            {
                return created;
            }
        }

        return created;
    }

    public SyscallResult TryAppend(ReadOnlySpan<byte> bytes)
    {
        SyscallResult written = FileCalls.Write(_descriptor, bytes, Length);
        Length += written.IsSuccess ? bytes.Length : 0;
        return written;
    }

    /// <summary>What is in it was read, and what is appended takes its place.</summary>
    public void Clear() => Length = 0;

    /// <summary>Bytes read; 0 at the end.</summary>
    public SyscallResult Read(Span<byte> buffer, long offset) =>
        FileCalls.Read(_descriptor, buffer, offset);

    /// <summary>
    /// Gives it another name in place of the temporary one, in folders that are made where they are
    /// missing.
    /// </summary>
    /// <param name="target">With NUL at its end.</param>
    /// <param name="mode">Its permissions from now on.</param>
    /// <param name="modifiedSeconds">Since 1970; -1 leaves it.</param>
    public SyscallResult MoveTo(ReadOnlySpan<byte> target, uint mode, long modifiedSeconds)
    {
        FileCalls.SetMode(_descriptor, mode);
        if (modifiedSeconds >= 0)
        {
            FileCalls.SetModified(_descriptor, modifiedSeconds);
        }

        SyscallResult moved = FileCalls.Rename(_path, target);
        if (moved.Errno == FileErrno.NoEntry)
        {
            // Who may read the file may walk to it (ngx_dir_access).
            MakeFolders(target, FolderMode | mode | ((mode & 0x124) >> 2));
            moved = FileCalls.Rename(_path, target);
        }

        if (moved.Errno == FileErrno.OutOfFolder)
        {
            moved = CopyTo(target, mode, modifiedSeconds);
        }

        _hasName &= !moved.IsSuccess;
        return moved;
    }

    /// <summary>Closes it, and leaves it to whoever knows its name.</summary>
    public void Leave()
    {
        _hasName = false;
        Close();
    }

    /// <summary>Closes it, and takes its name away.</summary>
    public void Close()
    {
        if (_descriptor < 0)
        {
            return;
        }

        FileCalls.Close(_descriptor);
        _descriptor = -1;
        if (_hasName)
        {
            FileCalls.Remove(_path);
        }
    }

    private static byte[] NextPath(TemporaryFolderConfig folder)
    {
        long number = Interlocked.Increment(ref _lastNumber);
        string name = number.ToString("D10", CultureInfo.InvariantCulture);
        var path = new StringBuilder(folder.Path.TrimEnd('/')).Append('/');
        int end = name.Length;
        foreach (int digits in folder.Levels)
        {
            int taken = Math.Min(digits, end);
            end -= taken;
            path.Append(name, end, taken).Append('/');
        }

        return Encoding.UTF8.GetBytes(path.Append(name).Append('\0').ToString());
    }

    /// <summary>All that lead to a path, from the outermost that is missing.</summary>
    private static void MakeFolders(ReadOnlySpan<byte> path, uint mode)
    {
        for (int i = 1; i < path.Length; i++)
        {
            if (path[i] == '/')
            {
                byte[] folder = [.. path[..i], 0];
                FileCalls.MakeFolder(folder, mode);
            }
        }
    }

    /// <summary>
    /// To another file system, under a name of its own until it is whole (ngx_ext_rename_file).
    /// </summary>
    private SyscallResult CopyTo(ReadOnlySpan<byte> target, uint mode, long modifiedSeconds)
    {
        string suffix = Interlocked.Increment(ref _lastNumber)
            .ToString("D10", CultureInfo.InvariantCulture);
        byte[] path = [.. target[..^1], (byte)'.', .. Encoding.ASCII.GetBytes(suffix), 0];
        SyscallResult created = FileCalls.CreateNew(path, FileMode);
        if (!created.IsSuccess)
        {
            return created;
        }

        var copy = new TemporaryFile(path, created.IntValue, hasName: true);
        byte[] buffer = new byte[64 * 1_024];
        SyscallResult step = SyscallResult.Success(0);
        while (step.IsSuccess && copy.Length < Length)
        {
            step = Read(buffer, copy.Length);
            step = step is { IsSuccess: true, Value: > 0 }
                ? copy.TryAppend(buffer.AsSpan(0, step.IntValue))
                : SyscallResult.Failure(step.IsSuccess ? FileErrno.Invalid : step.Errno);
        }

        step = step.IsSuccess ? copy.MoveTo(target, mode, modifiedSeconds) : step;
        copy.Close();
        _hasName &= !step.IsSuccess;
        if (step.IsSuccess)
        {
            FileCalls.Remove(_path);
        }

        return step;
    }
}
