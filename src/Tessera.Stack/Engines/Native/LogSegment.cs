using System.Buffers.Binary;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// One log file of a slot, <c>log.000001.writer</c>, and its index, <c>log.000001.idx</c>: pairs of
/// 64-bit little-endian numbers, (offset, Unix time in microseconds), each saying when the bytes
/// from that offset on arrived. Threading: the log pump writes; everyone may read what
/// <see cref="Length"/> covers.
/// </summary>
internal sealed class LogSegment
{
    public const int IndexEntryLength = 16;

    private readonly string _folder;
    private string _writer;
    private long _length;

    public LogSegment(string folder, long sequence, string writer, long length)
    {
        _folder = folder;
        Sequence = sequence;
        _writer = writer;
        _length = length;
    }

    public long Sequence { get; }

    /// <summary>
    /// Id of the instance that writes it, or wrote it last; part of the file's name.
    /// </summary>
    public string Writer => Volatile.Read(ref _writer);

    /// <summary>Bytes that are in the file for good.</summary>
    public long Length
    {
        get => Volatile.Read(ref _length);
        set => Volatile.Write(ref _length, value);
    }

    /// <summary>An instance writes it at present.</summary>
    public bool IsOpen
    {
        get => Volatile.Read(ref _isOpen);
        set => Volatile.Write(ref _isOpen, value);
    }

    private bool _isOpen;

    public string LogPath => System.IO.Path.Combine(_folder, NameOf(Writer));

    public string IndexPath => System.IO.Path.Combine(_folder, NameOf("idx"));

    /// <summary>The slot's files as they are on disk, the oldest first.</summary>
    public static List<LogSegment> FindAll(string folder)
    {
        var found = new List<LogSegment>();
        foreach (string path in Directory.EnumerateFiles(folder, "log.*"))
        {
            string[] words = System.IO.Path.GetFileName(path).Split('.');
            if (words.Length == 3 && words[2] != "idx" && long.TryParse(
                words[1], NumberStyles.None, CultureInfo.InvariantCulture, out long sequence))
            {
                found.Add(new LogSegment(folder, sequence, words[2], new FileInfo(path).Length));
            }
        }

        found.Sort((a, b) => a.Sequence.CompareTo(b.Sequence));
        return found;
    }

    /// <summary>
    /// Another instance goes on writing it. A reader that has it open notices nothing. False when
    /// somebody deleted the file.
    /// </summary>
    public bool TryPassTo(string writer)
    {
        try
        {
            File.Move(LogPath, System.IO.Path.Combine(_folder, NameOf(writer)));
        }
        catch (FileNotFoundException)
        {
            return false;
        }

        Volatile.Write(ref _writer, writer);
        return true;
    }

    public SafeFileHandle OpenLogForWriting() => OpenForWriting(LogPath);

    public SafeFileHandle OpenIndexForWriting() => OpenForWriting(IndexPath);

    /// <summary>Null when it was deleted for its age.</summary>
    public SafeFileHandle? OpenForReading(bool index)
    {
        const int attempts = 3;
        for (int i = 0; i < attempts; i++)
        {
            try
            {
                return File.OpenHandle(
                    index ? IndexPath : LogPath, FileMode.Open, FileAccess.Read,
                    FileShare.ReadWrite | FileShare.Delete);
            }
            catch (FileNotFoundException)
            {
                // Renamed between the making of the name and the opening: the next try finds it.
            }
            catch (DirectoryNotFoundException)
            {
                return null;
            }
        }

        return null;
    }

    public void Delete()
    {
        File.Delete(LogPath);
        File.Delete(IndexPath);
    }

    /// <summary>When the bytes at an entry's offset arrived.</summary>
    public static (long Offset, long Time) ReadEntry(ReadOnlySpan<byte> entry) => (
        BinaryPrimitives.ReadInt64LittleEndian(entry),
        BinaryPrimitives.ReadInt64LittleEndian(entry[8..]));

    public static void WriteEntry(Span<byte> entry, long offset, long time)
    {
        BinaryPrimitives.WriteInt64LittleEndian(entry, offset);
        BinaryPrimitives.WriteInt64LittleEndian(entry[8..], time);
    }

    private string NameOf(string suffix) => string.Create(
        CultureInfo.InvariantCulture, $"log.{Sequence:000000}.{suffix}");

    private static SafeFileHandle OpenForWriting(string path)
    {
        SafeFileHandle file = File.OpenHandle(
            path, FileMode.OpenOrCreate, FileAccess.ReadWrite,
            FileShare.ReadWrite | FileShare.Delete);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }
}
