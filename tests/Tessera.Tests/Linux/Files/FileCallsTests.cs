using System.Text;
using Shouldly;
using Tessera.Linux;
using Tessera.Linux.Files;
using Xunit;

namespace Tessera.Tests.Linux.Files;

public sealed class FileCallsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tessera-below-").FullName;
    private readonly int _root;

    public FileCallsTests()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "root/a/b"));
        File.WriteAllText(Path.Combine(_folder, "root/a/b/f"), "in");
        File.WriteAllText(Path.Combine(_folder, "secret"), "out");
        Link("root/out", "../secret");
        Link("root/up", "..");
        Link("root/absolute", Path.Combine(_folder, "root/a"));
        Link("root/a/in", "b");
        Link("root/magic", "/proc/self/root");
        SyscallResult root = FileCalls.OpenRoot(Terminated(Path.Combine(_folder, "root")));
        root.IsSuccess.ShouldBeTrue();
        _root = root.IntValue;
    }

    public void Dispose()
    {
        FileCalls.Close(_root);
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("a/b/f", 0)]
    [InlineData("a//b/./f", 0)]
    [InlineData("a", 0)]
    [InlineData(".", 0)]
    [InlineData("a/in/f", 0)]
    [InlineData("none", FileErrno.NoEntry)]
    [InlineData("a/b/f/", FileErrno.NotFolder)]
    [InlineData("a/b/f/x", FileErrno.NotFolder)]
    [InlineData("../secret", FileErrno.OutOfFolder)]
    [InlineData("out", FileErrno.OutOfFolder)]
    [InlineData("up/secret", FileErrno.OutOfFolder)]
    [InlineData("up/root/a/b/f", FileErrno.OutOfFolder)]
    [InlineData("absolute/b/f", FileErrno.OutOfFolder)]
    [InlineData("magic/etc/passwd", FileErrno.OutOfFolder)]
    [InlineData("/etc/passwd", FileErrno.OutOfFolder)]
    public void Opens_below_a_folder_and_nowhere_else(string path, int errno) =>
        Open(FileCalls.OpenBelow(_root, Terminated(path), staysBelow: true)).ShouldBe(errno);

    [Theory]
    [InlineData("a/b/f", true)]
    [InlineData("a//b/./f", true)]
    [InlineData("a/", true)]
    [InlineData(".", true)]
    [InlineData("none", false)]
    [InlineData("a/b/f/", false)]
    [InlineData("a/in/f", false)]
    [InlineData("out", false)]
    [InlineData("up/secret", false)]
    [InlineData("absolute/b/f", false)]
    [InlineData("magic/etc/passwd", false)]
    [InlineData("a/../a/b/f", false)]
    [InlineData("../secret", false)]
    [InlineData("/etc/passwd", false)]
    public void Opens_step_by_step_where_the_kernel_cannot_do_it(string path, bool isOpened) =>
        (Open(FileCalls.OpenBelowBySteps(_root, Terminated(path))) == 0).ShouldBe(isOpened);

    [Fact]
    public void A_path_ends_with_its_only_NUL()
    {
        Open(FileCalls.OpenBelow(_root, "a"u8, true)).ShouldBe(FileErrno.Invalid);
        Open(FileCalls.OpenBelow(_root, "a\0b\0"u8, true)).ShouldBe(FileErrno.Invalid);
        Open(FileCalls.OpenBelow(_root, "\0"u8, true)).ShouldBe(FileErrno.Invalid);
        Open(FileCalls.OpenBelowBySteps(_root, "a"u8)).ShouldBe(FileErrno.Invalid);
    }

    [Fact]
    public void A_status_tells_one_content_from_the_next()
    {
        string path = Path.Combine(_folder, "root/a/b/f");
        FileStatus first = StatusOf("a/b/f");
        first.Kind.ShouldBe(FileKind.Regular);
        first.Length.ShouldBe(2);
        DateTimeOffset.FromUnixTimeSeconds(first.ModifiedSeconds).UtcDateTime.ShouldBe(
            File.GetLastWriteTimeUtc(path), TimeSpan.FromSeconds(1));
        StatusOf("a/b/f").ShouldBe(first);
        StatusOf("a").Kind.ShouldBe(FileKind.Folder);

        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        StatusOf("a/b/f").HasSameContent(first).ShouldBeTrue();
        File.WriteAllText(path, "longer");
        StatusOf("a/b/f").HasSameContent(first).ShouldBeFalse();
    }

    private FileStatus StatusOf(string path)
    {
        SyscallResult opened = FileCalls.OpenBelow(_root, Terminated(path), staysBelow: true);
        FileCalls.GetStatus(opened.IntValue, out FileStatus status).IsSuccess.ShouldBeTrue();
        FileCalls.Close(opened.IntValue);
        return status;
    }

    private static int Open(SyscallResult opened)
    {
        if (opened.IsSuccess)
        {
            FileCalls.Close(opened.IntValue);
        }

        return opened.Errno;
    }

    private void Link(string name, string target) =>
        File.CreateSymbolicLink(Path.Combine(_folder, name), target);

    private static byte[] Terminated(string path) => Encoding.UTF8.GetBytes(path + '\0');
}
