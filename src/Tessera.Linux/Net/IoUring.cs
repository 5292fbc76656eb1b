using System.Runtime.InteropServices;

namespace Tessera.Linux.Net;

/// <summary>What became of one request, see io_uring_enter(2).</summary>
/// <param name="Data">Given with the request.</param>
/// <param name="Result">Its system call's result: 0 or more, or a negative errno.</param>
/// <param name="HasMore">The request goes on and will complete again.</param>
public readonly record struct Completion(ulong Data, int Result, bool HasMore);

/// <summary>
/// An io_uring(7): requests are written into one ring shared with the kernel and carried out many
/// at a time by <see cref="Enter"/>; completions are read from another. Made for one thread, the
/// first that calls <see cref="Enter"/>; nothing completes but within its calls
/// (IORING_SETUP_DEFER_TASKRUN).
/// </summary>
public sealed unsafe partial class IoUring : IDisposable
{
    private const string Library = "libc";
    private const nint SetupCall = 425;
    private const nint EnterCall = 426;
    private const nint RegisterCall = 427;

    private const uint SetupCompletionSize = 1 << 3;
    private const uint SetupDisabled = 1 << 6;
    private const uint SetupSubmitAll = 1 << 7;
    private const uint SetupSingleIssuer = 1 << 12;
    private const uint SetupDeferTaskRun = 1 << 13;
    private const uint FeatureSingleMap = 1 << 0;
    private const uint FeatureExtendedArgument = 1 << 8;

    private const uint EnterGetEvents = 1 << 0;
    private const uint EnterExtendedArgument = 1 << 3;
    private const uint RegisterEnableRings = 12;

    private const byte OpNothing = 0;
    private const byte OpPollAdd = 6;
    private const byte OpAsyncCancel = 14;
    private const byte OpSend = 26;
    private const byte OpReceive = 27;
    private const byte SkipCompletionOnSuccess = 1 << 6;
    private const uint PollAddMultishot = 1;
    private const uint CompletionMore = 1 << 1;

    private const uint MsgDontWait = 0x40;
    private const uint MsgNoSignal = 0x4000;

    private const long SubmissionEntriesOffset = 0x10000000;
    private const int ProtectReadWrite = 3;
    private const int MapSharedPopulate = 0x01 | 0x8000;
    private const int TimeExpired = 62;

    private readonly int _descriptor;
    private readonly byte* _rings;
    private readonly nuint _ringsLength;
    private readonly Submission* _submissions;
    private readonly nuint _submissionsLength;
    private readonly uint* _submissionHead;
    private readonly uint* _submissionTail;
    private readonly uint _submissionMask;
    private readonly uint _submissionCount;
    private readonly uint* _completionHead;
    private readonly uint* _completionTail;
    private readonly uint _completionMask;
    private readonly CompletionEntry* _completions;
    private uint _tail;
    private bool _isEnabled;

    private IoUring(
        int descriptor, in Parameters parameters, byte* rings, nuint ringsLength,
        Submission* submissions, nuint submissionsLength)
    {
        _descriptor = descriptor;
        _rings = rings;
        _ringsLength = ringsLength;
        _submissions = submissions;
        _submissionsLength = submissionsLength;
        _submissionHead = (uint*)(rings + parameters.SubmissionOffsets.Head);
        _submissionTail = (uint*)(rings + parameters.SubmissionOffsets.Tail);
        _submissionMask = *(uint*)(rings + parameters.SubmissionOffsets.Mask);
        _submissionCount = parameters.SubmissionEntries;
        _completionHead = (uint*)(rings + parameters.CompletionOffsets.Head);
        _completionTail = (uint*)(rings + parameters.CompletionOffsets.Tail);
        _completionMask = *(uint*)(rings + parameters.CompletionOffsets.Mask);
        _completions = (CompletionEntry*)(rings + parameters.CompletionOffsets.Entries);

        // The n-th place of the ring always means the n-th entry.
        uint* places = (uint*)(rings + parameters.SubmissionOffsets.Places);
        for (uint i = 0; i < _submissionCount; i++)
        {
            places[i] = i;
        }
    }

    /// <summary>Requests that were written and not carried out yet.</summary>
    public int Queued => (int)(_tail - Volatile.Read(ref *_submissionHead));

    /// <summary>
    /// Makes a ring; fails with ENOSYS, EPERM or EINVAL where the kernel is older than Linux 6.1 or
    /// forbids it.
    /// </summary>
    /// <param name="requests">Written at the same time; a power of two.</param>
    /// <param name="completions">Unread at the same time; more wait in the kernel.</param>
    public static SyscallResult TryCreate(int requests, int completions, out IoUring? ring)
    {
        ring = null;
        var parameters = new Parameters
        {
            // Disabled at first: the thread that enables it is the one that may use it.
            Flags = SetupCompletionSize | SetupDisabled | SetupSubmitAll | SetupSingleIssuer
                | SetupDeferTaskRun,
            CompletionEntries = (uint)completions,
        };
        nint descriptor = syscall(SetupCall, requests, (nint)(&parameters), 0, 0, 0, 0);
        if (descriptor < 0)
        {
            return SyscallResult.Failure(Marshal.GetLastSystemError());
        }

        const uint needed = FeatureSingleMap | FeatureExtendedArgument;
        nuint ringsLength = Math.Max(
            parameters.SubmissionOffsets.Places + (parameters.SubmissionEntries * sizeof(uint)),
            parameters.CompletionOffsets.Entries
                + (parameters.CompletionEntries * (uint)sizeof(CompletionEntry)));
        nuint submissionsLength = parameters.SubmissionEntries * (uint)sizeof(Submission);
        SyscallResult mapped = (parameters.Features & needed) == needed
            ? Map(descriptor, ringsLength, 0, out byte* rings)
            : Missing(out rings);
        byte* submissions = null;
        if (mapped.IsSuccess)
        {
            mapped = Map(descriptor, submissionsLength, SubmissionEntriesOffset, out submissions);
            if (!mapped.IsSuccess)
            {
                _ = munmap(rings, ringsLength);
            }
        }

        if (!mapped.IsSuccess)
        {
            SocketCalls.Close((int)descriptor);
            return mapped;
        }

        ring = new IoUring((int)descriptor, parameters, rings, ringsLength,
            (Submission*)submissions, submissionsLength);
        return SyscallResult.Success(0);
    }

    /// <summary>
    /// Reports <paramref name="events"/> of a descriptor, as epoll(7) names them, whenever they
    /// come about, until removed. While it is watched the socket stays open, whoever closes it.
    /// False when there is no room.
    /// </summary>
    public bool TryWatch(int descriptor, uint events, ulong data)
    {
        if (!TryTakeEntry(out Submission* entry))
        {
            return false;
        }

        *entry = new Submission
        {
            Operation = OpPollAdd,
            Descriptor = descriptor,
            Length = PollAddMultishot,
            OperationFlags = events,
            Data = data,
        };
        return true;
    }

    /// <summary>
    /// Ends the watch with that data; it completes with ECANCELED. Not by IORING_OP_POLL_REMOVE:
    /// that fails with EALREADY when an event came since the last <see cref="Enter"/>, and the
    /// watch would hold its socket open for ever.
    /// </summary>
    public bool TryUnwatch(ulong data)
    {
        if (!TryTakeEntry(out Submission* entry))
        {
            return false;
        }

        *entry = new Submission
        {
            Operation = OpAsyncCancel,
            Flags = SkipCompletionOnSuccess,
            Address = data,
        };
        return true;
    }

    /// <summary>
    /// Receives what is there: completes within the next <see cref="Enter"/>, with EAGAIN when
    /// there is nothing. Until then the memory must stay where it is.
    /// </summary>
    /// <param name="ticket">For <see cref="Annul"/>.</param>
    public bool TryReceive(
        int descriptor, byte* memory, int length, ulong data, out uint ticket) =>
        TryTransfer(OpReceive, descriptor, memory, length, MsgDontWait, data, out ticket);

    /// <summary>Sends what there is room for, as <see cref="TryReceive"/> receives.</summary>
    public bool TrySend(int descriptor, byte* memory, int length, ulong data, out uint ticket) =>
        TryTransfer(
            OpSend, descriptor, memory, length, MsgDontWait | MsgNoSignal, data, out ticket);

    /// <summary>
    /// Takes a request back that was not carried out yet, which then completes with
    /// <paramref name="data"/>; false when it is too late.
    /// </summary>
    public bool Annul(uint ticket, ulong data)
    {
        if ((int)(ticket - Volatile.Read(ref *_submissionHead)) < 0)
        {
            return false;
        }

        *(_submissions + (ticket & _submissionMask)) =
            new Submission { Operation = OpNothing, Data = data };
        return true;
    }

    /// <summary>
    /// Carries out what was written and waits until <paramref name="completions"/> are there, at
    /// most <paramref name="timeoutMs"/>; -1 waits for ever. An interrupted or expired wait is a
    /// success.
    /// </summary>
    public SyscallResult Enter(int completions, int timeoutMs)
    {
        if (!_isEnabled)
        {
            nint enabled = syscall(
                RegisterCall, _descriptor, (nint)RegisterEnableRings, 0, 0, 0, 0);
            if (enabled < 0)
            {
                return SyscallResult.Failure(Marshal.GetLastSystemError());
            }

            _isEnabled = true;
        }

        Volatile.Write(ref *_submissionTail, _tail);
        var time = new Timespec
        {
            Seconds = timeoutMs / 1_000,
            Nanoseconds = timeoutMs % 1_000 * 1_000_000L,
        };
        var argument = new EnterArgument { Time = timeoutMs > 0 ? &time : null };
        nint entered = syscall(EnterCall, _descriptor, Queued, timeoutMs == 0 ? 0 : completions,
            (nint)(EnterGetEvents | EnterExtendedArgument), (nint)(&argument),
            sizeof(EnterArgument));
        if (entered >= 0)
        {
            return SyscallResult.Success(entered);
        }

        int errno = Marshal.GetLastSystemError();
        return errno is TimeExpired or Errno.Interrupted or Errno.TryAgain or Errno.Busy
            ? SyscallResult.Success(0)
            : SyscallResult.Failure(errno);
    }

    /// <summary>Whether <see cref="TryTake"/> would find one.</summary>
    public bool HasCompletions => *_completionHead != Volatile.Read(ref *_completionTail);

    /// <summary>The oldest completion that was not taken yet.</summary>
    public bool TryTake(out Completion completion)
    {
        uint head = *_completionHead;
        if (head == Volatile.Read(ref *_completionTail))
        {
            completion = default;
            return false;
        }

        CompletionEntry* entry = _completions + (head & _completionMask);
        completion = new Completion(
            entry->Data, entry->Result, (entry->Flags & CompletionMore) != 0);
        Volatile.Write(ref *_completionHead, head + 1);
        return true;
    }

    public void Dispose()
    {
        _ = munmap(_submissions, _submissionsLength);
        _ = munmap(_rings, _ringsLength);
        SocketCalls.Close(_descriptor);
    }

    private bool TryTransfer(
        byte operation, int descriptor, byte* memory, int length, uint flags, ulong data,
        out uint ticket)
    {
        ticket = _tail;
        if (!TryTakeEntry(out Submission* entry))
        {
            return false;
        }

        *entry = new Submission
        {
            Operation = operation,
            Descriptor = descriptor,
            Address = (ulong)memory,
            Length = (uint)length,
            OperationFlags = flags,
            Data = data,
        };
        return true;
    }

    private bool TryTakeEntry(out Submission* entry)
    {
        entry = _submissions + (_tail & _submissionMask);
        if ((uint)Queued == _submissionCount)
        {
            return false;
        }

        _tail++;
        return true;
    }

    private static SyscallResult Map(
        nint descriptor, nuint length, long offset, out byte* memory)
    {
        memory = mmap(
            null, length, ProtectReadWrite, MapSharedPopulate, (int)descriptor, offset);
        return (nint)memory == -1
            ? SyscallResult.Failure(Marshal.GetLastSystemError())
            : SyscallResult.Success(0);
    }

    private static SyscallResult Missing(out byte* memory)
    {
        memory = null;
        return SyscallResult.Failure(Errno.InvalidArgument);
    }

    [LibraryImport(Library)]
    private static partial nint syscall(
        nint number, nint first, nint second, nint third, nint fourth, nint fifth, nint sixth);

    [LibraryImport(Library)]
    private static partial byte* mmap(
        void* address, nuint length, int protection, int flags, int descriptor, long offset);

    [LibraryImport(Library)]
    private static partial int munmap(void* address, nuint length);

    /// <summary>struct io_uring_sqe, as far as it is used.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 64)]
    private struct Submission
    {
        [FieldOffset(0)]
        public byte Operation;

        [FieldOffset(1)]
        public byte Flags;

        [FieldOffset(4)]
        public int Descriptor;

        [FieldOffset(16)]
        public ulong Address;

        [FieldOffset(24)]
        public uint Length;

        [FieldOffset(28)]
        public uint OperationFlags;

        [FieldOffset(32)]
        public ulong Data;
    }

    /// <summary>struct io_uring_cqe.</summary>
    private readonly record struct CompletionEntry(ulong Data, int Result, uint Flags);

    /// <summary>struct io_sqring_offsets and io_cqring_offsets in one.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 40)]
    private struct RingOffsets
    {
        [FieldOffset(0)]
        public uint Head;

        [FieldOffset(4)]
        public uint Tail;

        [FieldOffset(8)]
        public uint Mask;

        /// <summary>Of the completion ring.</summary>
        [FieldOffset(20)]
        public uint Entries;

        /// <summary>Of the submission ring.</summary>
        [FieldOffset(24)]
        public uint Places;
    }

    /// <summary>struct io_uring_params.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 120)]
    private struct Parameters
    {
        [FieldOffset(0)]
        public uint SubmissionEntries;

        [FieldOffset(4)]
        public uint CompletionEntries;

        [FieldOffset(8)]
        public uint Flags;

        [FieldOffset(20)]
        public uint Features;

        [FieldOffset(40)]
        public RingOffsets SubmissionOffsets;

        [FieldOffset(80)]
        public RingOffsets CompletionOffsets;
    }

    /// <summary>struct io_uring_getevents_arg.</summary>
    private struct EnterArgument
    {
        public ulong SignalMask;
        public uint SignalMaskLength;
        public uint MinWaitMicroseconds;
        public Timespec* Time;
    }

    private struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
