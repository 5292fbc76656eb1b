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
    private readonly ErrorLevel _level;
    private long _second;
    private int _lines;
    private int _suppressed;
    private long _suppressedInAll;

    /// <param name="write">Gets one line at a time; null for none.</param>
    /// <param name="level">Lines of less weight are not written, and not counted.</param>
    public ErrorLog(Action<string>? write, ErrorLevel level = ErrorLevel.Warning)
    {
        _write = write;
        _level = level;
    }

    /// <summary>Lines that were left out because there were too many.</summary>
    public long Suppressed => Volatile.Read(ref _suppressedInAll);

    /// <summary>
    /// A try failed at its endpoint, there was none to try, or the client is to blame.
    /// </summary>
    public void Write(Exchange exchange, ProxyError error)
    {
        ErrorLevel level = LevelOf(error);
        if (TryEnter(level))
        {
            string cause = error.Errno == 0 ? "" : $" ({Errno.Describe(error.Errno)})";
            string next = error.IsRetryable ? "; trying another" : "";
            Emit(level, $"{error.Describe()}{cause}{next}: {Describe(exchange)}");
        }
    }

    /// <summary>A request was refused before anything was tried.</summary>
    public void WriteRefusal(Exchange exchange, string reason)
    {
        if (TryEnter(ErrorLevel.Notice))
        {
            Emit(ErrorLevel.Notice, $"{exchange.Status}, {reason}: {Describe(exchange)}");
        }
    }

    public void Write(string line) => Write(ErrorLevel.Error, line);

    public void Write(ErrorLevel level, string line)
    {
        if (TryEnter(level))
        {
            Emit(level, line);
        }
    }

    /// <summary>
    /// What is tried again, and a hold queue that does its work, may end well; what clients do is
    /// their affair.
    /// </summary>
    private static ErrorLevel LevelOf(ProxyError error) => error switch
    {
        { Source: ProxyErrorSource.Client } => ErrorLevel.Notice,
        { IsRetryable: true } => ErrorLevel.Warning,
        _ => ErrorLevel.Error,
    };

    /// <summary>Client, listener, route, request, backend and upstream, as far as known.</summary>
    private static string Describe(Exchange exchange)
    {
        string host = Text(exchange.Host);
        var text = new StringBuilder();
        text.Append("client ").Append(Text(exchange.Client.PeerText));
        text.Append(", listener ").Append(exchange.Client.Listener.Address);
        text.Append(", request \"").Append(Target(exchange)).Append('"');
        text.Append(", host \"").Append(host).Append('"');
        text.Append(", route ").Append(exchange.Route?.Name ?? "-");
        text.Append(", backend ").Append(exchange.Backend?.Name ?? "-");
        text.Append(", upstream ");
        if (exchange.Endpoint is { } endpoint)
        {
            text.Append(Text(endpoint.AddressText)).Append(" (").Append(endpoint.Id).Append(')');
        }
        else
        {
            text.Append('-');
        }

        return text.Append(", try ").Append(exchange.TryCount).ToString();
    }

    /// <summary>A log that fails must not take a reactor with it.</summary>
    private void Emit(ErrorLevel level, string line)
    {
        try
        {
            _write!($"[{Name(level)}] {line}");
        }
        catch (Exception)
        {
            Suppress();
        }
    }

    private static string Name(ErrorLevel level) => level switch
    {
        ErrorLevel.Notice => "notice",
        ErrorLevel.Warning => "warn",
        _ => "error",
    };

    /// <summary>Nothing that a client chose may end the line.</summary>
    private static string Text(ReadOnlySpan<byte> text)
    {
        Span<byte> escaped = stackalloc byte[MaxTargetLength * 4];
        var writer = new ByteWriter(escaped);
        if (!text.IsEmpty)
        {
            LogEscape.WriteText(ref writer, text[..Math.Min(text.Length, MaxTargetLength)]);
        }

        return Encoding.ASCII.GetString(writer.Written);
    }

    private static string Target(Exchange exchange)
    {
        // A tunnel has no request.
        if (exchange.Request.TargetLength == 0)
        {
            return "-";
        }

        ReadOnlySpan<byte> received = exchange.Received;
        string method =
            Text(received.Slice(exchange.Request.MethodStart, exchange.Request.MethodLength));
        string target =
            Text(received.Slice(exchange.Request.TargetStart, exchange.Request.TargetLength));
        return $"{method} {target}";
    }

    private bool TryEnter(ErrorLevel level)
    {
        if (_write is null || level < _level)
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
                Emit(ErrorLevel.Warning, $"{suppressed} more errors were not written");
            }
        }

        if (Interlocked.Increment(ref _lines) <= MaxLinesPerSecond)
        {
            return true;
        }

        Suppress();
        return false;
    }

    private void Suppress()
    {
        Interlocked.Increment(ref _suppressed);
        Interlocked.Increment(ref _suppressedInAll);
    }
}
