using System.Runtime.InteropServices;
using System.Threading.Channels;
using Tessera.Linux.Processes;

namespace Tessera.Nginx;

/// <summary>
/// Signals in the order in which they came, for one reader. None is lost, and none interrupts the
/// work on another. Safe from any thread.
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

    private static readonly int[] All =
        [HangUp, Interrupt, Quit, User1, User2, Terminate, WindowChange];

    /// <summary>More than anyone sends while one is worked on.</summary>
    private const int MaxWaiting = 64;

    private readonly Channel<int> _waiting = Channel.CreateBounded<int>(
        new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.DropWrite });

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

    public async Task<int> NextAsync() => await _waiting.Reader.ReadAsync();

    /// <summary>Completes when there is one to be taken.</summary>
    public async Task WaitAsync() => await _waiting.Reader.WaitToReadAsync();

    public void Dispose() => Array.ForEach(_registrations, r => r.Dispose());

    private void Take(PosixSignalContext context)
    {
        context.Cancel = true;
        _waiting.Writer.TryWrite(NumberOf(context.Signal));
    }

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
