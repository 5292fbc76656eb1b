using System.Collections.Concurrent;
using Tessera.Linux;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Access;

/// <summary>
/// Computes a slow hash on the thread pool and tells the reactor that waits for it. At most half of
/// the processors do so at a time and at most <see cref="MaxWaiting"/> wait, so that whoever
/// guesses passwords takes neither the reactors nor the memory. Begun by its reactor, then the
/// pool's until it has completed <paramref name="wait"/>.
/// </summary>
internal sealed class PasswordCheck(Reactor reactor, IoOperation wait)
{
    private const int MaxWaiting = 256;

    private static readonly int MaxRunning = Math.Max(1, Environment.ProcessorCount / 2);
    private static readonly ConcurrentQueue<PasswordCheck> Waiting = new();
    private static int s_waiting;
    private static int s_running;

    private PasswordEntry _user = null!;
    private byte[] _password = [];
    private bool _isKnown;

    /// <summary>Valid once the wait is over.</summary>
    public bool IsRight { get; private set; }

    /// <summary>False when too many are waiting.</summary>
    /// <param name="isKnown">False makes any password wrong.</param>
    public bool TryBegin(PasswordEntry user, bool isKnown, ReadOnlySpan<byte> password)
    {
        if (Interlocked.Increment(ref s_waiting) > MaxWaiting)
        {
            Interlocked.Decrement(ref s_waiting);
            return false;
        }

        _user = user;
        _isKnown = isKnown;
        _password = password.ToArray();
        Waiting.Enqueue(this);
        StartRunner();
        return true;
    }

    private static void StartRunner()
    {
        if (Interlocked.Increment(ref s_running) <= MaxRunning)
        {
            ThreadPool.UnsafeQueueUserWorkItem(_ => RunAll(), null);
        }
        else
        {
            Interlocked.Decrement(ref s_running);
        }
    }

    private static void RunAll()
    {
        while (Waiting.TryDequeue(out PasswordCheck? check))
        {
            check.Run();
        }

        // One that came after the last look found this runner still running.
        Interlocked.Decrement(ref s_running);
        if (!Waiting.IsEmpty)
        {
            StartRunner();
        }
    }

    private void Run()
    {
        try
        {
            // Several requests of one page come at once; the first has done the work for all.
            IsRight = (_isKnown && VerifiedPasswords.Has(_user, _password))
                || (_user.Hash.Verify(_password) && _isKnown);
            if (IsRight)
            {
                VerifiedPasswords.Add(_user, _password);
            }
        }
        catch (Exception exception)
        {
            reactor.ReportFault(exception);
        }

        Interlocked.Decrement(ref s_waiting);
        reactor.Post(() =>
        {
            if (wait.IsPending)
            {
                reactor.Schedule(wait, SyscallResult.Success(0));
            }
        });
    }
}
