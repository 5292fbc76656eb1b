using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Tessera.Daemon;

/// <summary>
/// What signs the cookies of sticky services: 32 random bytes, made once for a state folder, so
/// that clients keep their instances when the daemon is replaced.
/// </summary>
internal static class StickyKey
{
    private const int Length = 32;

    /// <summary>
    /// Called by the daemon that holds the folder's lock. A file of another length is no key and is
    /// made anew.
    /// </summary>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public static ImmutableArray<byte> ReadOrCreate(TesseraHome home)
    {
        if (File.Exists(home.StickyKey) && File.ReadAllBytes(home.StickyKey) is { } known
            && known.Length == Length)
        {
            return ImmutableCollectionsMarshal.AsImmutableArray(known);
        }

        byte[] key = RandomNumberGenerator.GetBytes(Length);
        string next = home.StickyKey + ".next";
        File.Delete(next);
        using (var file = new FileStream(next, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            file.Write(key);
            file.Flush(flushToDisk: true);
        }

        File.Move(next, home.StickyKey, overwrite: true);
        return ImmutableCollectionsMarshal.AsImmutableArray(key);
    }
}
