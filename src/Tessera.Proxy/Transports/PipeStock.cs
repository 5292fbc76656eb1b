using Tessera.Linux.Net;

namespace Tessera.Proxy.Transports;

/// <summary>
/// The pipes through which one reactor splices long bodies. Who gets none relays through a buffer.
/// Owned by one reactor; it lives as long as the process does.
/// </summary>
internal sealed class PipeStock
{
    /// <summary>What one splice may move.</summary>
    public const int PipeBytes = 256 * 1_024;

    /// <summary>
    /// In use at a time, over all reactors. Each pipe takes two descriptors and 64 pages of what
    /// pipe(7) grants the user, 16,384 by default, which the output of instances comes out of too.
    /// </summary>
    private const int MaxLentInAll = 64;

    private const int MaxSpare = 4;

    /// <summary>After a refusal none is asked for, for so long.</summary>
    private const int RefusalMs = 10_000;

    private readonly int _maxLent;
    private readonly Stack<SplicePipe> _spare = new();
    private int _lent;
    private long _refusedUntilMs;

    public PipeStock(int reactors) => _maxLent = Math.Max(2, MaxLentInAll / reactors);

    public SplicePipe? TryRent(long nowMs)
    {
        if (_lent == _maxLent || nowMs < _refusedUntilMs)
        {
            return null;
        }

        if (!_spare.TryPop(out SplicePipe? pipe)
            && !SplicePipe.TryCreate(PipeBytes, out pipe).IsSuccess)
        {
            _refusedUntilMs = nowMs + RefusalMs;
            return null;
        }

        _lent++;
        return pipe;
    }

    /// <summary>One that still holds bytes is of no further use.</summary>
    public void Return(SplicePipe pipe)
    {
        _lent--;
        if (pipe.Held == 0 && _spare.Count < MaxSpare)
        {
            _spare.Push(pipe);
        }
        else
        {
            pipe.Dispose();
        }
    }

    /// <summary>The kernel, or a sandbox, does not splice sockets.</summary>
    public void GiveUp() => _refusedUntilMs = long.MaxValue;
}
