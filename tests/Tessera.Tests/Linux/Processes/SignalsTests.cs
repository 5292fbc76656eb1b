using Shouldly;
using Tessera.Linux.Processes;
using Xunit;

namespace Tessera.Tests.Linux.Processes;

public class SignalsTests
{
    [Theory]
    [InlineData("SIGTERM", 15)]
    [InlineData("term", 15)]
    [InlineData("SIGKILL", 9)]
    [InlineData("SIGUSR1", 10)]
    [InlineData("SIGSYS", 31)]
    [InlineData("SIGRTMIN+3", 37)]
    [InlineData("SIGRTMAX", 64)]
    [InlineData("12", 12)]
    public void Knows_names_and_numbers(string name, int number)
    {
        Signals.TryParse(name, out int signal).ShouldBeTrue();
        signal.ShouldBe(number);
    }

    [Theory]
    [InlineData("")]
    [InlineData("SIG")]
    [InlineData("SIGNAL")]
    [InlineData("0")]
    [InlineData("65")]
    [InlineData("-9")]
    public void Refuses_what_is_no_signal(string name) =>
        Signals.TryParse(name, out _).ShouldBeFalse();

    [Theory]
    [InlineData(15, "SIGTERM")]
    [InlineData(37, "SIGRTMIN+3")]
    [InlineData(99, "signal 99")]
    public void Names_a_number(int signal, string name) => Signals.Describe(signal).ShouldBe(name);
}
