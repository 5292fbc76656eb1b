using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.Stack.Engines.Native;
using Xunit;

namespace Tessera.Tests.Stack.Native;

public class PortPoolTests
{
    [Fact]
    public void Gives_each_port_once_and_a_returned_one_last()
    {
        var pool = new PortPool(new PortRange(28_500, 28_509));
        List<int> taken = [];
        while (pool.Take() is int port)
        {
            taken.Add(port);
        }

        taken.ShouldBeUnique();
        taken.Count.ShouldBeInRange(5, 10);
        pool.GiveBack(taken[3]);
        pool.Take().ShouldBe(taken[3]);
        pool.Take().ShouldBeNull();
    }

    [Fact]
    public void Does_not_give_a_port_back_at_once()
    {
        var pool = new PortPool(new PortRange(28_600, 28_699));
        int first = pool.Take()!.Value;
        pool.GiveBack(first);

        pool.Take().ShouldNotBe(first);
    }

    [Fact]
    public void Passes_over_ports_that_are_in_use_or_reserved()
    {
        using var listener = new TcpListener(IPAddress.Any, 0);
        listener.Start();
        int used = ((IPEndPoint)listener.LocalEndpoint).Port;
        new PortPool(new PortRange(used, used)).Take().ShouldBeNull();

        var pool = new PortPool(new PortRange(28_700, 28_701));
        pool.Reserve(28_700);
        pool.Take().ShouldBe(28_701);
        pool.Take().ShouldBeNull();
    }

    [Theory]
    [InlineData(32_768, 60_999, 20_000, 29_999)]
    [InlineData(15_000, 60_999, 5_000, 14_999)]
    [InlineData(1_024, 40_000, 40_001, 50_000)]
    [InlineData(1_024, 65_535, 20_000, 29_999)]
    [InlineData(2_000, 64_500, 64_501, 65_535)]
    public void Keeps_clear_of_the_kernels_own_range(int low, int high, int first, int last) =>
        PortPool.Avoid(new PortRange(20_000, 29_999), new PortRange(low, high))
            .ShouldBe(new PortRange(first, last));
}
