using FsCheck;
using FsCheck.Fluent;

namespace Tessera.Tests.Proxy.Http;

/// <summary>Small random damage to wire bytes.</summary>
internal static class Mutation
{
    /// <summary>Bytes that mean something to a parser; a uniform choice rarely hits them.</summary>
    private static readonly byte[] Telling =
        [.. "\r\n \t:;,/?#*@[]\\\"-+_.0159aAfFxX\0\u007f"u8, 0x80, 0xC2, 0xFF];

    /// <summary>The bytes after some replacements, insertions, removals and doublings.</summary>
    public static Gen<byte[]> Apply(byte[] bytes, int edits)
    {
        Gen<byte[]> result = Gen.Constant(bytes);
        for (int i = 0; i < edits; i++)
        {
            result = result.SelectMany(Once);
        }

        return result;
    }

    private static Gen<byte[]> Once(byte[] bytes) =>
        from kind in Gen.Choose(0, 3)
        from at in Gen.Choose(0, Math.Max(0, bytes.Length - 1))
        from length in Gen.Choose(1, 12)
        from value in Gen.OneOf(Gen.Elements(Telling), Gen.Choose(0, 255).Select(b => (byte)b))
        select Edit(bytes, kind, at, Math.Min(length, bytes.Length - at), value);

    private static byte[] Edit(byte[] bytes, int kind, int at, int length, byte value) =>
        kind switch
        {
            0 when bytes.Length > 0 => [.. bytes[..at], value, .. bytes[(at + 1)..]],
            1 when bytes.Length > 0 => [.. bytes[..at], .. bytes[(at + length)..]],
            2 => [.. bytes[..(at + length)], .. bytes[at..]],
            _ => [.. bytes[..at], value, .. bytes[at..]],
        };
}
