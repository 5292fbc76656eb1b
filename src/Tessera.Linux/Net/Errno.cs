namespace Tessera.Linux.Net;

/// <summary>The errors of socket calls that are told apart, see errno(3).</summary>
public static class Errno
{
    public const int Interrupted = 4;
    public const int TryAgain = 11;
    public const int NoMemory = 12;
    public const int AccessDenied = 13;
    public const int Busy = 16;
    public const int NotPermitted = 1;
    public const int InvalidArgument = 22;
    public const int FileTableFull = 23;
    public const int TooManyFiles = 24;
    public const int BrokenPipe = 32;
    public const int NoSuchCall = 38;
    public const int MessageTooLong = 90;
    public const int AddressInUse = 98;
    public const int AddressNotAvailable = 99;
    public const int ConnectionAborted = 103;
    public const int ConnectionReset = 104;
    public const int NoBuffers = 105;
    public const int NotConnected = 107;
    public const int TimedOut = 110;
    public const int ConnectionRefused = 111;
    public const int HostUnreachable = 113;
    public const int InProgress = 115;
    public const int Canceled = 125;

    /// <summary>This machine ran out of something; the peer has no part in it.</summary>
    public static bool IsShortage(int errno) => errno
        is NoMemory or FileTableFull or TooManyFiles or NoBuffers or AddressNotAvailable;

    /// <summary>The error in words, for logs and people; allocates for rare errors only.</summary>
    public static string Describe(int errno) => errno switch
    {
        NotPermitted => "operation not permitted",
        TryAgain => "resource temporarily unavailable",
        NoMemory => "out of memory",
        AccessDenied => "permission denied",
        InvalidArgument => "invalid argument",
        FileTableFull => "too many open files in the system",
        TooManyFiles => "too many open files",
        BrokenPipe => "broken pipe",
        MessageTooLong => "message too long",
        AddressInUse => "address already in use",
        AddressNotAvailable => "address not available on this machine",
        ConnectionAborted => "connection aborted",
        ConnectionReset => "connection reset",
        NoBuffers => "no buffer space",
        NotConnected => "not connected",
        TimedOut => "timed out",
        ConnectionRefused => "connection refused",
        HostUnreachable => "no route to host",
        Canceled => "canceled",
        _ => $"errno {errno}",
    };
}
