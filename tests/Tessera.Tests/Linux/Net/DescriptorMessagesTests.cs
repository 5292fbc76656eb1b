using System.Net.Sockets;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Shouldly;
using Tessera.Linux;
using Tessera.Linux.Net;
using Xunit;

namespace Tessera.Tests.Linux.Net;

public sealed class DescriptorMessagesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tess").FullName;
    private readonly Socket _one;
    private readonly Socket _other;

    public DescriptorMessagesTests()
    {
        var address = new UnixDomainSocketEndPoint(Path.Combine(_folder, "s"));
        using var listener = new Socket(
            AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        listener.Bind(address);
        listener.Listen();
        _one = new Socket(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        _one.Connect(address);
        _other = listener.Accept();
    }

    private int One => (int)_one.Handle;

    private int Other => (int)_other.Handle;

    public void Dispose()
    {
        _one.Dispose();
        _other.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Carries_descriptors_that_mean_the_same_open_file()
    {
        string path = Path.Combine(_folder, "file");
        File.WriteAllText(path, "inside");
        using (SafeFileHandle file = File.OpenHandle(path))
        {
            DescriptorMessages.Send(One, "two of them"u8,
                [(int)file.DangerousGetHandle(), (int)file.DangerousGetHandle()])
                .IsSuccess.ShouldBeTrue();
        }

        byte[] buffer = new byte[100];
        SyscallResult received = DescriptorMessages.Receive(Other, buffer, out int[] descriptors);
        Encoding.ASCII.GetString(buffer, 0, received.IntValue).ShouldBe("two of them");
        descriptors.Length.ShouldBe(2);
        foreach (int descriptor in descriptors)
        {
            using var copy = new SafeFileHandle(descriptor, ownsHandle: true);
            RandomAccess.GetLength(copy).ShouldBe(6);
        }
    }

    [Fact]
    public void Keeps_messages_apart_and_takes_as_many_descriptors_as_it_says()
    {
        int[] most = [.. Enumerable.Repeat(One, DescriptorMessages.MaxDescriptors)];
        DescriptorMessages.Send(One, "a"u8, most).IsSuccess.ShouldBeTrue();
        DescriptorMessages.Send(One, "b"u8, []).IsSuccess.ShouldBeTrue();
        byte[] buffer = new byte[10];
        DescriptorMessages.Receive(Other, buffer, out int[] first).Value.ShouldBe(1);
        first.Length.ShouldBe(most.Length);
        Array.ForEach(first, SocketCalls.Close);
        DescriptorMessages.Receive(Other, buffer, out int[] second).Value.ShouldBe(1);
        second.ShouldBeEmpty();
        Should.Throw<ArgumentOutOfRangeException>(
            () => DescriptorMessages.Send(One, "c"u8, [.. most, One]));
    }

    [Fact]
    public void Leaves_nothing_open_of_a_message_that_does_not_fit()
    {
        string path = Path.Combine(_folder, "passed");
        using (SafeFileHandle file = File.OpenHandle(path, FileMode.Create, FileAccess.Write))
        {
            DescriptorMessages.Send(One, "too long"u8, [(int)file.DangerousGetHandle()]);
        }

        DescriptorMessages.Receive(Other, new byte[3], out int[] descriptors)
            .Errno.ShouldBe(Errno.MessageTooLong);
        descriptors.ShouldBeEmpty();

        // Other tests open and close files beside this one, so it asks for its own alone.
        OpenDescriptors().ShouldNotContain(path);
    }

    private static IEnumerable<string?> OpenDescriptors()
    {
        foreach (FileInfo descriptor in new DirectoryInfo("/proc/self/fd").EnumerateFiles())
        {
            string? target;
            try
            {
                target = descriptor.LinkTarget;
            }
            catch (IOException)
            {
                continue;
            }

            yield return target;
        }
    }

    [Fact]
    public void Tells_the_end_and_the_process_on_the_other_side()
    {
        DescriptorMessages.GetPeerProcess(Other).Value.ShouldBe(Environment.ProcessId);
        _one.Dispose();
        DescriptorMessages.Receive(Other, new byte[3], out _).Value.ShouldBe(0);
        DescriptorMessages.Send(Other, "x"u8, []).Errno.ShouldBe(Errno.BrokenPipe);
    }
}
