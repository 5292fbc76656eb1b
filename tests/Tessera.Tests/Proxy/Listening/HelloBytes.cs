using System.Buffers.Binary;
using System.Text;

namespace Tessera.Tests.Proxy.Listening;

/// <summary>Makes the first message of a TLS client by hand.</summary>
internal static class HelloBytes
{
    /// <param name="recordBytes">Of the message in each record.</param>
    public static byte[] Create(
        string? serverName = null,
        string[]? protocols = null,
        ushort[]? versions = null,
        ushort legacyVersion = 0x0303,
        int recordBytes = 16_384)
    {
        var extensions = new List<byte>();
        if (serverName is not null)
        {
            byte[] name = Encoding.ASCII.GetBytes(serverName);
            AddExtension(extensions, 0, Sized2([0, .. Sized2(name)]));
        }

        // One of no interest, so that others are passed over.
        AddExtension(extensions, 10, [0, 2, 0, 29]);
        if (protocols is not null)
        {
            AddExtension(extensions, 16, Sized2([.. protocols.SelectMany(
                p => (byte[])[(byte)p.Length, .. Encoding.ASCII.GetBytes(p)])]));
        }

        if (versions is not null)
        {
            byte[] list = [.. versions.SelectMany(v => (byte[])[(byte)(v >> 8), (byte)v])];
            AddExtension(extensions, 43, [(byte)list.Length, .. list]);
        }

        byte[] body =
        [
            (byte)(legacyVersion >> 8), (byte)legacyVersion,
            .. Enumerable.Repeat((byte)7, 32),
            4, 1, 2, 3, 4,
            .. Sized2([0x13, 0x01, 0x13, 0x02]),
            1, 0,
            .. Sized2([.. extensions]),
        ];
        byte[] message = [1, 0, (byte)(body.Length >> 8), (byte)body.Length, .. body];
        return [.. message.Chunk(recordBytes).SelectMany(Record)];
    }

    private static byte[] Record(byte[] part) => [22, 3, 1, .. Sized2(part)];

    private static void AddExtension(List<byte> to, ushort type, byte[] content) =>
        to.AddRange([(byte)(type >> 8), (byte)type, .. Sized2(content)]);

    private static byte[] Sized2(byte[] content)
    {
        byte[] sized = new byte[content.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(sized, (ushort)content.Length);
        content.CopyTo(sized, 2);
        return sized;
    }
}
