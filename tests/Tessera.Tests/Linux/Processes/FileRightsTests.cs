using Shouldly;
using Tessera.Linux.Processes;
using Xunit;

namespace Tessera.Tests.Linux.Processes;

public sealed class FileRightsTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void Take_away_from_one_thread_what_the_process_may_read()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only the super-user may");
        UserAccount nobody = Accounts.FindUser("nobody").ShouldNotBeNull();
        File.SetUnixFileMode(_file, UnixFileMode.UserRead);
        bool hasTaken = false;
        bool mayRead = true;
        var thread = new Thread(() =>
        {
            hasTaken = FileRights.Of(nobody, nobody.GroupId).TryTake();
            mayRead = MayRead();
        });
        thread.Start();
        thread.Join();
        hasTaken.ShouldBeTrue();
        mayRead.ShouldBeFalse();
        MayRead().ShouldBeTrue("other threads are who they were");
    }

    private bool MayRead()
    {
        try
        {
            File.OpenRead(_file).Dispose();
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }
}
