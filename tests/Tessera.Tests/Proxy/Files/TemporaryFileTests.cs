using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Files;
using Xunit;

namespace Tessera.Tests.Proxy.Files;

/// <summary>Files for bodies: where they are, who finds them, what becomes of them.</summary>
public sealed class TemporaryFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tessera-kept-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Nobody_finds_a_file_without_a_name()
    {
        TemporaryFile file = Create("plain", [], keepsName: false);
        file.TryAppend("hello "u8).IsSuccess.ShouldBeTrue();
        file.TryAppend("world"u8).IsSuccess.ShouldBeTrue();
        Directory.GetFiles(_folder + "/plain").ShouldBeEmpty();
        byte[] buffer = new byte[16];
        file.Read(buffer, 3).IntValue.ShouldBe(8);
        Encoding.ASCII.GetString(buffer, 0, 8).ShouldBe("lo world");
        file.Read(buffer, 11).Value.ShouldBe(0);
        file.Close();
    }

    [Fact]
    public void Folders_within_folders_have_the_last_digits_of_its_number()
    {
        TemporaryFile file = Create("deep", [1, 2], keepsName: true);
        string path = Encoding.UTF8.GetString(file.Path);
        string number = Path.GetFileName(path);
        number.Length.ShouldBe(10);
        path.ShouldBe($"{_folder}/deep/{number[9..]}/{number[7..9]}/{number}");
        File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        file.Close();
        File.Exists(path).ShouldBeFalse();
    }

    [Fact]
    public void One_that_is_left_stays()
    {
        TemporaryFile file = Create("left", [], keepsName: true);
        file.TryAppend("body"u8);
        file.Leave();
        File.ReadAllText(Directory.GetFiles(_folder + "/left").Single()).ShouldBe("body");
    }

    [Fact]
    public void It_moves_into_folders_that_do_not_exist_yet()
    {
        TemporaryFile file = Create("moved", [], keepsName: true);
        file.TryAppend("whole"u8);
        string target = _folder + "/new/er/file";
        file.MoveTo(Encoding.UTF8.GetBytes(target + "\0"), 0x1B4, 86_400).IsSuccess.ShouldBeTrue();
        file.Close();
        File.ReadAllText(target).ShouldBe("whole");
        File.GetLastWriteTimeUtc(target).ShouldBe(DateTime.UnixEpoch.AddDays(1));
        Convert.ToString((int)File.GetUnixFileMode(target), 8).ShouldBe("664");
        Directory.GetFiles(_folder + "/moved").ShouldBeEmpty();
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_an_error()
    {
        File.WriteAllText(_folder + "/file", "");
        TemporaryFile.TryCreate(
            new TemporaryFolderConfig(_folder + "/file/below", []), keepsName: false, out _)
            .IsSuccess.ShouldBeFalse();
    }

    private TemporaryFile Create(string folder, int[] levels, bool keepsName)
    {
        TemporaryFile.TryCreate(
            new TemporaryFolderConfig($"{_folder}/{folder}", [.. levels]), keepsName, out var file)
            .IsSuccess.ShouldBeTrue();
        return file!;
    }
}
