namespace Tessera.Linux.Processes;

/// <summary>The errno values (errno(3)) that callers of this folder decide on.</summary>
public static class ProcessErrno
{
    public const int NoEntry = 2;
    public const int NoProcess = 3;
    public const int Interrupted = 4;
    public const int NoChild = 10;
    public const int Again = 11;
    public const int NoMemory = 12;
    public const int AccessDenied = 13;
    public const int Busy = 16;
    public const int Exists = 17;
    public const int Invalid = 22;
    public const int NoSpace = 28;

    /// <summary>What strerror(3) says about it, for people.</summary>
    public static string Describe(int errno) =>
        System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(errno);
}
