using Tessera.Linux.Net;

namespace Tessera.Proxy.Transports;

/// <summary>
/// The pipes through which one reactor splices long bodies. Who gets none relays through a buffer.
/// Owned by one reactor; it lives as long as the process does.
/// </summary>
internal sealed class PipeStock
{
    /// <summary>What one splice may move.</summary>
    public const int PipeBytes = 1_024 * 1_024;

    /// <summary>
    /// In use at a time: a slow client keeps what is in its pipe in the kernel's memory, and each
    /// takes two descriptors.
    /// </summary>
    private const int MaxLent = 32;

    private const int MaxSpare = 8;

    private readonly Stack<SplicePipe> _spare = new();
    private int _lent;

    public SplicePipe? TryRent()
    {
        if (_lent == MaxLent)
        {
            return null;
        }

        if (!_spare.TryPop(out SplicePipe? pipe))
        {
            SplicePipe.TryCreate(PipeBytes, out pipe);
        }

        _lent += pipe is null ? 0 : 1;
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
}
