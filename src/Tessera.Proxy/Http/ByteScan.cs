using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Tessera.Proxy.Http;

/// <summary>Character classes of RFC 9110 and the one scan that every head goes through.</summary>
internal static class ByteScan
{
    /// <summary>
    /// tchar of RFC 9110 section 5.6.2: what methods and field names are made of.
    /// </summary>
    public static readonly SearchValues<byte> Token = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    /// <summary>
    /// reg-name of RFC 3986 section 3.2.2, but for the comma, which would let a list of two hosts
    /// look like one.
    /// </summary>
    public static readonly SearchValues<byte> HostName = SearchValues.Create(
        "!$&'()*+;=%-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    /// <summary>What stands between the brackets of an IPv6 literal.</summary>
    public static readonly SearchValues<byte> IPv6 =
        SearchValues.Create("0123456789ABCDEFabcdef:."u8);

    /// <summary>
    /// What a request target cannot contain; control characters never get that far.
    /// </summary>
    public static readonly SearchValues<byte> NotInTarget = SearchValues.Create(" \t#"u8);

    /// <summary>
    /// Index of the first control character at or after <paramref name="from"/>, or -1. HTAB is
    /// not counted as one. A valid line holds none before its CR, so this one pass finds both the
    /// end of the line and everything that makes it invalid: bare LF, NUL, DEL and the rest.
    /// </summary>
    /// <remarks>
    /// Blocks of 16 because lines are short, and because such code is compiled ahead of time, while
    /// code for wider vectors starts in the runtime's slowest tier.
    /// </remarks>
    public static int IndexOfControl(ReadOnlySpan<byte> bytes, int from)
    {
        int at = from;
        ref byte first = ref MemoryMarshal.GetReference(bytes);
        for (; at <= bytes.Length - Vector128<byte>.Count; at += Vector128<byte>.Count)
        {
            // The loop's condition keeps the whole block inside the span.
            Vector128<byte> block = Vector128.LoadUnsafe(ref first, (nuint)at);
            Vector128<byte> found =
                Vector128.AndNot(
                    Vector128.LessThan(block, Vector128.Create((byte)0x20)),
                    Vector128.Equals(block, Vector128.Create((byte)'\t')))
                | Vector128.Equals(block, Vector128.Create((byte)0x7F));
            uint bits = found.ExtractMostSignificantBits();
            if (bits != 0)
            {
                return at + BitOperations.TrailingZeroCount(bits);
            }
        }

        for (; at < bytes.Length; at++)
        {
            if (IsControl(bytes[at]))
            {
                return at;
            }
        }

        return -1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsControl(byte value) => (value < 0x20 && value != '\t') || value == 0x7F;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsBlank(byte value) => value is (byte)' ' or (byte)'\t';
}
