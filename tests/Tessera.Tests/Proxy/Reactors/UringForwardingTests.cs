using System.Reflection;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Reactors;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Reactor;

/// <summary>
/// The tests of the whole flow once more, on io_uring. Where the kernel does not allow it they run
/// on epoll again, as the program would.
/// </summary>
public sealed class UringForwardingTests
{
    private static readonly Type[] Suites =
    [
        typeof(BodyTests), typeof(DrainTests), typeof(HeaderTests), typeof(HoldTests),
        typeof(KeepAliveTests), typeof(ListenerTests), typeof(RetryTests), typeof(ServingTests),
        typeof(ServerHandoverTests), typeof(TunnelTests), typeof(AllocationTests),
        typeof(LongBodyTests),
    ];

    public static TheoryData<string, string, int> Cases()
    {
        var cases = new TheoryData<string, string, int>();
        foreach (Type suite in Suites)
        {
            foreach (MethodInfo method in TestsOf(suite))
            {
                int rows = Math.Max(1, RowsOf(method).Length);
                for (int row = 0; row < rows; row++)
                {
                    cases.Add(suite.Name, method.Name, row);
                }
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Passes_on_io_uring(string suite, string test, int row)
    {
        Type type = Suites.Single(s => s.Name == suite);
        MethodInfo method = type.GetMethod(test)!;
        InlineDataAttribute[] rows = RowsOf(method);
        ProxyFixture.Poller = PollerKind.IoUring;
        object instance = Activator.CreateInstance(type)!;
        try
        {
            object? result = method.Invoke(instance, rows.Length == 0 ? null : rows[row].Data);
            if (result is Task task)
            {
                await task;
            }
        }
        finally
        {
            (instance as IDisposable)?.Dispose();
        }
    }

    [Fact]
    public void Is_what_it_says_where_the_kernel_allows_it()
    {
        var buffers = new BufferPool(32 * 1_024, 256 * 1_024);
        List<string> log = [];
        var options = new ProxyOptions { Poller = PollerKind.IoUring, ErrorLog = log.Add };
        var choice = new PollerChoice(options);
        using IPoller first = choice.Create(buffers);
        using IPoller second = choice.Create(buffers);
        second.GetType().ShouldBe(first.GetType());
        log.Count.ShouldBe(first is UringPoller ? 0 : 1, "falling back is said once");
        using IPoller usual = new PollerChoice(new ProxyOptions()).Create(buffers);
        usual.ShouldBeOfType<EpollPoller>();
    }

    private static IEnumerable<MethodInfo> TestsOf(Type suite) =>
        suite.GetMethods().Where(m => m.GetCustomAttribute<FactAttribute>() is not null
            && (m.GetParameters().Length == 0 || RowsOf(m).Length > 0));

    private static InlineDataAttribute[] RowsOf(MethodInfo method) =>
        [.. method.GetCustomAttributes<InlineDataAttribute>()];
}
