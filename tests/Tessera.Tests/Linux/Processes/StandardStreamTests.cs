using Microsoft.Win32.SafeHandles;
using Shouldly;
using Tessera.Linux.Processes;
using Xunit;

namespace Tessera.Tests.Linux.Processes;

public class StandardStreamTests
{
    [Fact]
    public void Notices_that_the_last_reader_of_a_pipe_has_left()
    {
        Fifo.TryCreatePipe(out SafeFileHandle? reader, out SafeFileHandle? writer)
            .IsSuccess.ShouldBeTrue();
        using (writer)
        {
            int descriptor = (int)writer!.DangerousGetHandle();
            StandardStream.IsReaderGone(descriptor).ShouldBeFalse();
            reader!.Dispose();
            StandardStream.IsReaderGone(descriptor).ShouldBeTrue();
        }
    }

    [Fact]
    public void Tells_what_was_inherited_from_what_was_opened_here()
    {
        using var own = new FileStream("/dev/null", FileMode.Open);
        StandardStream.IsInherited((int)own.SafeFileHandle.DangerousGetHandle()).ShouldBeFalse();
        StandardStream.IsInherited(2).ShouldBeTrue();
        StandardStream.IsInherited(1_000_000).ShouldBeFalse();
    }
}
