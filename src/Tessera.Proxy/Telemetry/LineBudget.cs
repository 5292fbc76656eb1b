namespace Tessera.Proxy.Telemetry;

/// <summary>
/// So many lines a second and no more, so that whoever causes lines fills no disk. Safe from any
/// thread; allocates nothing.
/// </summary>
internal sealed class LineBudget(int linesPerSecond)
{
    private long _second;
    private int _lines;
    private int _suppressed;

    /// <summary>False when the line is one too many.</summary>
    /// <param name="suppressed">Lines left out that nobody has been told of yet.</param>
    public bool TryTake(out int suppressed)
    {
        suppressed = 0;
        long second = Environment.TickCount64 / 1_000;
        if (Interlocked.Exchange(ref _second, second) != second)
        {
            Volatile.Write(ref _lines, 0);
            suppressed = Interlocked.Exchange(ref _suppressed, 0);
        }

        if (Interlocked.Increment(ref _lines) <= linesPerSecond)
        {
            return true;
        }

        Interlocked.Increment(ref _suppressed);
        return false;
    }
}
