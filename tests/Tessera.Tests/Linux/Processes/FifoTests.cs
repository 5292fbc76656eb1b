using System.Text;
using Microsoft.Win32.SafeHandles;
using Shouldly;
using Tessera.Linux;
using Tessera.Linux.Processes;
using Xunit;

namespace Tessera.Tests.Linux.Processes;

public sealed class FifoTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tessera-fifo-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Moves_bytes_to_an_offset_of_a_file()
    {
        using SafeFileHandle fifo = Create();
        using SafeFileHandle file = File.OpenHandle(
            Path.Combine(_folder, "file"), FileMode.Create, FileAccess.ReadWrite);
        Write(fifo, "hello");

        Fifo.CountWaitingBytes(fifo).ShouldBe(5);
        Fifo.MoveToFile(fifo, file, 3, 4).Value.ShouldBe(4);
        Fifo.MoveToFile(fifo, file, 7, 100).Value.ShouldBe(1);

        Fifo.MoveToFile(fifo, file, 8, 100).Errno.ShouldBe(ProcessErrno.Again);
        var bytes = new byte[16];
        RandomAccess.Read(file, bytes, 0).ShouldBe(8);
        Encoding.ASCII.GetString(bytes, 0, 8).ShouldBe("\0\0\0hello");
    }

    [Fact]
    public void Peeking_leaves_the_bytes_where_they_are()
    {
        using SafeFileHandle fifo = Create();
        Fifo.TryCreatePipe(out SafeFileHandle? reader, out SafeFileHandle? writer);
        using (reader)
        using (writer)
        {
            Write(fifo, "line\nrest");

            Fifo.Peek(fifo, writer!, 100).Value.ShouldBe(9);

            var bytes = new byte[16];
            Fifo.Read(reader!, bytes).Value.ShouldBe(9);
            Fifo.Read(reader!, bytes).Errno.ShouldBe(ProcessErrno.Again);
            Fifo.CountWaitingBytes(fifo).ShouldBe(9);
        }
    }

    [Fact]
    public void Grows_to_a_mebibyte()
    {
        using SafeFileHandle fifo = Create();

        SyscallResult resized = Fifo.Resize(fifo, 1024 * 1024);

        // An unprivileged user may have used up its share (pipe(7)).
        if (resized.IsSuccess)
        {
            resized.Value.ShouldBe(1024 * 1024);
        }
        else
        {
            Accounts.EffectiveUserId.ShouldNotBe(0u);
        }
    }

    [Fact]
    public void Creating_it_twice_tells_that_it_exists()
    {
        Create().Dispose();
        Fifo.Create(Path.Combine(_folder, "fifo")).Errno.ShouldBe(ProcessErrno.Exists);
    }

    private SafeFileHandle Create()
    {
        string path = Path.Combine(_folder, "fifo");
        Fifo.Create(path).IsSuccess.ShouldBeTrue();
        Fifo.TryOpen(path, out SafeFileHandle? fifo).IsSuccess.ShouldBeTrue();
        return fifo!;
    }

    private void Write(SafeFileHandle fifo, string text)
    {
        _ = fifo;
        using var stream = new FileStream(
            Path.Combine(_folder, "fifo"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 0);
        stream.Write(Encoding.ASCII.GetBytes(text));
    }
}
