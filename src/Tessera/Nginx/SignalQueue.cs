using System.Runtime.InteropServices;
using Tessera.Linux.Processes;

namespace Tessera.Nginx;

/// <summary>
/// Signals that came and are not obeyed yet, each once, for one reader: the end goes first, as with
/// nginx. None interrupts the work on another. Safe from any thread.
/// </summary>
internal sealed class SignalQueue : IDisposable
{
    public const int HangUp = 1;
    public const int Interrupt = 2;
    public const int Quit = 3;
    public const int User1 = 10;
    public const int User2 = 12;
    public const int Terminate = 15;
    public const int WindowChange = 28;

    /// <summary>In the order in which they are obeyed.</summary>
    private static readonly int[] All =
        [Terminate, Interrupt, Quit, HangUp, User1, User2, WindowChange];

    private readonly Lock _lock = new();
    private readonly HashSet<int> _waiting = [];
    private readonly TaskCompletionSource _ending = NewArrival();
    private TaskCompletionSource _arrival = NewArrival();

    private readonly PosixSignalRegistration[] _registrations;

    public SignalQueue()
    {
        _registrations = Array.ConvertAll(
            All, signal => PosixSignalRegistration.Create(NameOf(signal), Take));
    }

    /// <summary>
    /// A shell that starts the program in the background lets it ignore two of them; nginx does
    /// not. Before anything else: <see cref="Signals.EndIgnoring"/>.
    /// </summary>
    public static void EndIgnoring() => Array.ForEach(All, Signals.EndIgnoring);

    /// <summary>Completes when one that ends the process at once has come.</summary>
    public Task WhenEndingAsync() => _ending.Task;

    public async Task<int> NextAsync()
    {
        await WaitAsync();
        lock (_lock)
        {
            int next = Array.Find(All, _waiting.Contains);
            _waiting.Remove(next);
            _arrival = _waiting.Count == 0 ? NewArrival() : _arrival;
            return next;
        }
    }

    /// <summary>Completes when there is one to be taken.</summary>
    public Task WaitAsync()
    {
        lock (_lock)
        {
            return _arrival.Task;
        }
    }

    public void Dispose() => Array.ForEach(_registrations, r => r.Dispose());

    private void Take(PosixSignalContext context)
    {
        context.Cancel = true;
        lock (_lock)
        {
            int signal = NumberOf(context.Signal);
            _waiting.Add(signal);
            _arrival.TrySetResult();
            if (signal is Terminate or Interrupt)
            {
                _ending.TrySetResult();
            }
        }
    }

    private static TaskCompletionSource NewArrival() =>
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>.NET passes numbers that it has no name for on as they are.</summary>
    private static PosixSignal NameOf(int number) => number switch
    {
        HangUp => PosixSignal.SIGHUP,
        Interrupt => PosixSignal.SIGINT,
        Quit => PosixSignal.SIGQUIT,
        Terminate => PosixSignal.SIGTERM,
        WindowChange => PosixSignal.SIGWINCH,
        _ => (PosixSignal)number,
    };

    private static int NumberOf(PosixSignal signal) => signal switch
    {
        PosixSignal.SIGHUP => HangUp,
        PosixSignal.SIGINT => Interrupt,
        PosixSignal.SIGQUIT => Quit,
        PosixSignal.SIGTERM => Terminate,
        PosixSignal.SIGWINCH => WindowChange,
        _ => (int)signal,
    };
}
