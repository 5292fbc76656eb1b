using Tessera.Linux;

namespace Tessera.Proxy.Reactors;

/// <summary>
/// Carries out <see cref="IoOperation"/>s and waits for those that cannot finish at once. All calls
/// but <see cref="Wake"/> come from the one reactor that owns it.
/// </summary>
internal interface IPoller : IDisposable
{
    /// <summary>Takes a socket into care, once, before its first operation.</summary>
    SyscallResult Add(IoHandle handle);

    /// <summary>Closes the socket. None of its operations may be in progress.</summary>
    void Close(IoHandle handle);

    /// <summary>
    /// Lets go of a socket and leaves it open. None of its operations may be in progress. What is
    /// shared with another process has to go this way: closing one of several descriptors of a
    /// socket would not take it out of an epoll set (epoll(7), question 6).
    /// </summary>
    void Release(IoHandle handle);

    /// <summary>
    /// Begins an operation. True when it was finished within the call; otherwise its
    /// <see cref="IoOperation.Complete"/> is called from a later <see cref="Dispatch"/>.
    /// </summary>
    bool TryStart(IoOperation operation);

    /// <summary>
    /// Gives up an operation in progress; it will not be completed by this poller.
    /// </summary>
    void Abandon(IoOperation operation);

    /// <summary>Something is known to be due, so that the next wait will not be one.</summary>
    bool HasWork { get; }

    /// <summary>
    /// Waits until something happens, at most <paramref name="timeoutMs"/>; -1 is for ever. False
    /// when there is nothing to dispatch.
    /// </summary>
    bool Wait(int timeoutMs);

    /// <summary>
    /// Completes the operations that the last <see cref="Wait"/> found to be possible.
    /// </summary>
    void Dispatch();

    /// <summary>Ends a <see cref="Wait"/> that is going on or comes next. Any thread.</summary>
    void Wake();
}
