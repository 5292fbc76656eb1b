namespace Tessera.Tests.Proxy.Reactor;

/// <summary>Tests that go by chance: whatever fails names its seed.</summary>
internal static class Seeded
{
    public static async Task RunAsync(string seed, Func<Task> test)
    {
        try
        {
            await test();
        }
        catch (Exception exception)
        {
            throw new InvalidOperationException($"{seed}: {exception.Message}", exception);
        }
    }
}
