namespace Tessera.Linux.Files;

/// <summary>The errno values (errno(3)) that callers of this folder decide on.</summary>
public static class FileErrno
{
    public const int NotPermitted = 1;
    public const int NoEntry = 2;
    public const int AccessDenied = 13;
    public const int Exists = 17;

    /// <summary>EXDEV: the path leads out of its folder, see openat2(2).</summary>
    public const int OutOfFolder = 18;

    public const int NotFolder = 20;
    public const int Invalid = 22;
    public const int SystemFilesFull = 23;
    public const int TooManyFiles = 24;
    public const int NameTooLong = 36;
    public const int NoSystemCall = 38;

    /// <summary>ELOOP: a symbolic link where none may be, or too many of them.</summary>
    public const int Link = 40;

    /// <summary>In words, for people.</summary>
    public static string Describe(int errno) => errno switch
    {
        OutOfFolder => "a symbolic link leads out of its root",
        _ => System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(errno),
    };
}
