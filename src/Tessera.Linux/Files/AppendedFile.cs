using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Tessera.Linux.Files;

/// <summary>
/// A file that is only ever written to at its end, wherever that is by now: others may write to it
/// too, or cut it. (A <see cref="FileStream"/> goes on at the place that it has counted to.) Used
/// by one thread at a time.
/// </summary>
public sealed class AppendedFile : IDisposable
{
    private const uint NewFileMode = 0x1A4; // rw-r--r--

    private readonly SafeFileHandle _handle;

    private AppendedFile(SafeFileHandle handle) => _handle = handle;

    /// <summary>Opens the file, which is made when it is not there; else the errno.</summary>
    public static SyscallResult TryOpen(string path, out AppendedFile? file)
    {
        SyscallResult opened = FileCalls.OpenForAppending(
            Encoding.UTF8.GetBytes(path + "\0"), NewFileMode);
        file = opened.IsSuccess
            ? new AppendedFile(new SafeFileHandle(opened.IntValue, ownsHandle: true))
            : null;
        return opened;
    }

    /// <summary>Writes all of it, or fails; a part may be written then.</summary>
    public SyscallResult Write(ReadOnlySpan<byte> bytes) =>
        FileCalls.Append((int)_handle.DangerousGetHandle(), bytes);

    public void Dispose() => _handle.Dispose();
}
