using Shouldly;
using Tessera.Linux.Processes;
using Xunit;

namespace Tessera.Tests.Linux.Processes;

public class FileLockTests
{
    [Fact]
    public void Is_held_by_one_at_a_time()
    {
        string path = Path.GetTempFileName();
        try
        {
            using (FileLock? first = FileLock.TryTake(path))
            {
                first.ShouldNotBeNull();
                FileLock.TryTake(path).ShouldBeNull();
            }

            using FileLock? again = FileLock.TryTake(path);
            again.ShouldNotBeNull();
        }
        finally
        {
            File.Delete(path);
        }
    }
}
