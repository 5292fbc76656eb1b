using System.Text;
using Tessera.Linux.Net;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// Tells in words what went wrong, at most so many lines a second, and how many lines that left
/// out. Safe from any thread.
/// </summary>
internal sealed class ErrorLog
{
    private const int MaxLinesPerSecond = 20;
    private const int MaxTargetLength = 200;

    private readonly Action<string>? _write;
    private long _second;
    private int _lines;
    private int _suppressed;

    /// <param name="write">Gets one line at a time; null for none.</param>
    public ErrorLog(Action<string>? write) => _write = write;

    /// <summary>A try failed at its endpoint, or there was none to try.</summary>
    public void Write(Exchange exchange, ProxyError error)
    {
        if (TryEnter())
        {
            string cause = error.Errno == 0 ? "" : $" ({Errno.Describe(error.Errno)})";
            string upstream = exchange.Endpoint is { } endpoint ? Text(endpoint.AddressText) : "-";
            Emit($"{error.Describe()}{cause}: client {Text(exchange.Client.PeerText)}, "
                + $"request \"{Target(exchange)}\", backend {exchange.Backend.Name}, "
                + $"upstream {upstream}");
        }
    }

    public void Write(string line)
    {
        if (TryEnter())
        {
            Emit(line);
        }
    }

    /// <summary>A log that fails must not take a reactor with it.</summary>
    private void Emit(string line)
    {
        try
        {
            _write!(line);
        }
        catch (Exception)
        {
            Interlocked.Increment(ref _suppressed);
        }
    }

    private static string Text(ReadOnlySpan<byte> text) => Encoding.Latin1.GetString(text);

    private static string Target(Exchange exchange)
    {
        // A tunnel has no request.
        if (exchange.Request.TargetLength == 0)
        {
            return "-";
        }

        ReadOnlySpan<byte> received = exchange.Received;
        ReadOnlySpan<byte> target =
            received.Slice(exchange.Request.TargetStart, exchange.Request.TargetLength);
        string method =
            Text(received.Slice(exchange.Request.MethodStart, exchange.Request.MethodLength));
        return $"{method} {Text(target[..Math.Min(target.Length, MaxTargetLength)])}";
    }

    private bool TryEnter()
    {
        if (_write is null)
        {
            return false;
        }

        long second = Environment.TickCount64 / 1_000;
        if (Interlocked.Exchange(ref _second, second) != second)
        {
            Volatile.Write(ref _lines, 0);
            int suppressed = Interlocked.Exchange(ref _suppressed, 0);
            if (suppressed > 0)
            {
                Emit($"{suppressed} more errors were not written");
            }
        }

        if (Interlocked.Increment(ref _lines) <= MaxLinesPerSecond)
        {
            return true;
        }

        Interlocked.Increment(ref _suppressed);
        return false;
    }
}
