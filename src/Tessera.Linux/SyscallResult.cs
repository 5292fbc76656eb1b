namespace Tessera.Linux;

/// <summary>
/// What a system call returned: its value, or the errno it failed with. The data plane decides on
/// these values; a peer's behaviour is never an exception.
/// </summary>
public readonly struct SyscallResult
{
    private readonly long _value;

    private SyscallResult(long value) => _value = value;

    /// <summary>A success with the call's own return value (0 or more).</summary>
    public static SyscallResult Success(long value) => new(value);

    /// <summary>A failure with errno <paramref name="errno"/> (1 or more, see errno(3)).</summary>
    public static SyscallResult Failure(int errno) => new(-errno);

    public bool IsSuccess => _value >= 0;

    /// <summary>The call's return value; meaningful when <see cref="IsSuccess"/>.</summary>
    public long Value => _value;

    /// <summary>The return value as an int: a descriptor or a byte count below 2 GiB.</summary>
    public int IntValue => (int)_value;

    /// <summary>The errno, or 0 after a success.</summary>
    public int Errno => _value < 0 ? (int)-_value : 0;

    public override string ToString() =>
        IsSuccess ? _value.ToString(System.Globalization.CultureInfo.InvariantCulture)
            : $"errno {Errno}";
}
