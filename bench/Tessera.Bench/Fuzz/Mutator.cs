namespace Tessera.Bench.Fuzz;

/// <summary>Damages inputs at random, mostly where a parser decides. Used by one thread.</summary>
internal sealed class Mutator
{
    private const int MaxBytes = 8 * 1_024;
    private const int MaxEdits = 8;

    /// <summary>Texts that mean something to one of the parsers.</summary>
    private static readonly byte[][] Words =
    [
        "\r\n"u8.ToArray(), "\r\n\r\n"u8.ToArray(), "\n"u8.ToArray(), "\r"u8.ToArray(),
        "\0"u8.ToArray(), " "u8.ToArray(), "\t"u8.ToArray(), ":"u8.ToArray(), ","u8.ToArray(),
        ";"u8.ToArray(), "-"u8.ToArray(), "="u8.ToArray(), "/../"u8.ToArray(), "%2e"u8.ToArray(),
        "%00"u8.ToArray(), "//"u8.ToArray(), "HTTP/1.1"u8.ToArray(), "HTTP/1.0"u8.ToArray(),
        "Content-Length: 5\r\n"u8.ToArray(), "Transfer-Encoding: chunked\r\n"u8.ToArray(),
        "Host: b\r\n"u8.ToArray(), "Connection: close, x\r\n"u8.ToArray(), "0\r\n\r\n"u8.ToArray(),
        "ffffffffffffffff\r\n"u8.ToArray(), "7fffffffffffffff"u8.ToArray(),
        "9223372036854775807"u8.ToArray(), "18446744073709551616"u8.ToArray(),
        "bytes="u8.ToArray(), "0-0,"u8.ToArray(), "-1"u8.ToArray(), [0x80], [0xFF], [0x7F],
    ];

    private readonly Random _random;
    private readonly IReadOnlyList<byte[]> _seeds;

    public Mutator(Random random, IReadOnlyList<byte[]> seeds)
    {
        _random = random;
        _seeds = seeds;
    }

    public byte[] Next()
    {
        byte[] bytes = Any();
        for (int edits = _random.Next(1, MaxEdits + 1); edits > 0; edits--)
        {
            bytes = Edit(bytes);
        }

        return bytes.Length > MaxBytes ? bytes[..MaxBytes] : bytes;
    }

    private byte[] Any() => _seeds[_random.Next(_seeds.Count)];

    private byte[] Edit(byte[] bytes)
    {
        int at = _random.Next(bytes.Length + 1);
        int end = Math.Min(at + _random.Next(1, 24), bytes.Length);
        byte[] other = Any();
        return _random.Next(6) switch
        {
            0 => [.. bytes[..at], .. bytes[end..]],
            1 => [.. bytes[..end], .. bytes[at..]],
            2 => [.. bytes[..at], (byte)_random.Next(256), .. bytes[at..]],
            3 when end > at => [.. bytes[..at], (byte)_random.Next(256), .. bytes[(at + 1)..]],
            4 => [.. bytes[..at], .. other[Math.Min(at, other.Length)..]],
            _ => [.. bytes[..at], .. Words[_random.Next(Words.Length)], .. bytes[at..]],
        };
    }
}
