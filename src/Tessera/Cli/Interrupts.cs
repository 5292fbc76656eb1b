using System.Runtime.InteropServices;

namespace Tessera.Cli;

/// <summary>
/// SIGINT, SIGTERM and SIGHUP as two tokens: the first such signal asks for an orderly end, the
/// second for an end at once. The process's signals are taken over when a token is first asked for;
/// a command that never asks ends as any program does. Signals arrive on a thread of the runtime;
/// safe from any thread.
/// </summary>
public sealed class Interrupts : IDisposable
{
    private static readonly PosixSignal[] Signals =
        [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _first = new();
    private readonly CancellationTokenSource _second = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private bool _takesSignals;

    private Interrupts(bool takesSignals) => _takesSignals = takesSignals;

    /// <summary>Whether a signal has come.</summary>
    public bool IsRaised => _first.IsCancellationRequested;

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken First
    {
        get
        {
            TakeSignals();
            return _first.Token;
        }
    }

    /// <summary>Cancelled by the second signal.</summary>
    public CancellationToken Second
    {
        get
        {
            TakeSignals();
            return _second.Token;
        }
    }

    /// <summary>Those of this process.</summary>
    public static Interrupts OfProcess() => new(takesSignals: true);

    /// <summary>None but those that are raised by <see cref="Raise"/>.</summary>
    public static Interrupts Manual() => new(takesSignals: false);

    /// <summary>As if a signal had come.</summary>
    public void Raise()
    {
        if (_first.IsCancellationRequested)
        {
            _second.Cancel();
        }
        else
        {
            _first.Cancel();
        }
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        _first.Dispose();
        _second.Dispose();
    }

    private void TakeSignals()
    {
        lock (_lock)
        {
            if (!_takesSignals)
            {
                return;
            }

            _takesSignals = false;
            foreach (PosixSignal signal in Signals)
            {
                _registrations.Add(PosixSignalRegistration.Create(signal, context =>
                {
                    context.Cancel = true;
                    Raise();
                }));
            }
        }
    }
}
