using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Tessera.Proxy.Reactors;

/// <summary>
/// Result of an async method that starts, suspends and ends on one reactor. The state of a
/// suspended method lives in a box that is used again, so calling such methods once per request
/// allocates nothing. Await it exactly once, or <see cref="Detach"/> it. Not thread-safe.
/// </summary>
[AsyncMethodBuilder(typeof(ReactorTaskMethodBuilder<>))]
internal readonly struct ReactorTask<T>
{
    private readonly ReactorTaskSource<T>? _source;
    private readonly T _result;

    internal ReactorTask(T result) => _result = result;

    internal ReactorTask(ReactorTaskSource<T> source)
    {
        _source = source;
        _result = default!;
    }

    public Awaiter GetAwaiter() => new(this);

    /// <summary>
    /// Nothing awaits the end; an exception that escapes goes to <paramref name="reactor"/>.
    /// </summary>
    public void Detach(Reactor reactor) => _source?.Detach(reactor);

    internal readonly struct Awaiter : ICriticalNotifyCompletion
    {
        private readonly ReactorTask<T> _task;

        public Awaiter(ReactorTask<T> task) => _task = task;

        public bool IsCompleted => _task._source is null || _task._source.IsCompleted;

        public T GetResult() =>
            _task._source is null ? _task._result : _task._source.TakeResult();

        public void OnCompleted(Action continuation) =>
            _task._source!.OnCompleted(continuation);

        public void UnsafeOnCompleted(Action continuation) =>
            _task._source!.OnCompleted(continuation);
    }
}

/// <summary>Where the end of a suspended method meets whoever awaits it.</summary>
internal abstract class ReactorTaskSource<T>
{
    private T _result = default!;
    private ExceptionDispatchInfo? _exception;
    private Action? _continuation;
    private Reactor? _detachedOn;

    public bool IsCompleted { get; private set; }

    public void OnCompleted(Action continuation) => _continuation = continuation;

    public void SetResult(T result)
    {
        _result = result;
        End();
    }

    public void SetException(Exception exception)
    {
        _exception = ExceptionDispatchInfo.Capture(exception);
        End();
    }

    /// <summary>
    /// Takes the result once; the box behind it is free for another method afterwards.
    /// </summary>
    public T TakeResult()
    {
        T result = _result;
        ExceptionDispatchInfo? exception = _exception;
        _result = default!;
        _exception = null;
        _continuation = null;
        _detachedOn = null;
        IsCompleted = false;
        Recycle();
        exception?.Throw();
        return result;
    }

    public void Detach(Reactor reactor)
    {
        _detachedOn = reactor;
        if (IsCompleted)
        {
            End();
        }
    }

    protected abstract void Recycle();

    private void End()
    {
        IsCompleted = true;
        if (_detachedOn is { } reactor)
        {
            if (_exception is { } exception)
            {
                _exception = null;
                reactor.ReportFault(exception.SourceException);
            }

            TakeResult();
            return;
        }

        _continuation?.Invoke();
    }
}

/// <summary>Holds an exception that a method threw before it first suspended.</summary>
internal sealed class FaultedReactorTaskSource<T> : ReactorTaskSource<T>
{
    protected override void Recycle()
    {
        // Rare enough to be left to the garbage collector.
    }
}

/// <summary>
/// The state machine of one suspended method, kept for the next call of that method.
/// </summary>
internal sealed class ReactorTaskBox<TStateMachine, T> : ReactorTaskSource<T>
    where TStateMachine : IAsyncStateMachine
{
    /// <summary>Boxes kept per thread and method; more are left to the garbage collector.</summary>
    private const int MaxFree = 4_096;

    [ThreadStatic]
    private static ReactorTaskBox<TStateMachine, T>? t_free;

    [ThreadStatic]
    private static int t_freeCount;

    public TStateMachine StateMachine = default!;
    private ReactorTaskBox<TStateMachine, T>? _nextFree;

    private ReactorTaskBox() => MoveNext = () => StateMachine.MoveNext();

    public Action MoveNext { get; }

    public static ReactorTaskBox<TStateMachine, T> Rent()
    {
        ReactorTaskBox<TStateMachine, T>? box = t_free;
        if (box is null)
        {
            return new ReactorTaskBox<TStateMachine, T>();
        }

        t_free = box._nextFree;
        t_freeCount--;
        box._nextFree = null;
        return box;
    }

    protected override void Recycle()
    {
        StateMachine = default!;
        if (t_freeCount < MaxFree)
        {
            _nextFree = t_free;
            t_free = this;
            t_freeCount++;
        }
    }
}

/// <summary>
/// What the compiler builds methods that return <see cref="ReactorTask{T}"/> with.
/// </summary>
internal struct ReactorTaskMethodBuilder<T>
{
    private ReactorTaskSource<T>? _source;
    private T _result;

    public readonly ReactorTask<T> Task =>
        _source is null ? new ReactorTask<T>(_result) : new ReactorTask<T>(_source);

    public static ReactorTaskMethodBuilder<T> Create() => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine => stateMachine.MoveNext();

    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
        // Called for boxed state machines of older compilers only.
    }

    public void SetResult(T result)
    {
        if (_source is null)
        {
            _result = result;
        }
        else
        {
            _source.SetResult(result);
        }
    }

    public void SetException(Exception exception)
    {
        _source ??= new FaultedReactorTaskSource<T>();
        _source.SetException(exception);
    }

    public void AwaitOnCompleted<TAwaiter, TStateMachine>(
        ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine =>
        awaiter.OnCompleted(BoxOf(ref stateMachine).MoveNext);

    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(
        ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine =>
        awaiter.UnsafeOnCompleted(BoxOf(ref stateMachine).MoveNext);

    private ReactorTaskBox<TStateMachine, T> BoxOf<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
    {
        if (_source is not null)
        {
            return Unsafe.As<ReactorTaskBox<TStateMachine, T>>(_source);
        }

        // This builder is a field of the state machine: set it before the copy into the box.
        ReactorTaskBox<TStateMachine, T> box = ReactorTaskBox<TStateMachine, T>.Rent();
        _source = box;
        box.StateMachine = stateMachine;
        return box;
    }
}
