using System.Runtime.CompilerServices;
using System.Text;
using Tessera.Linux.Net;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;
using Tessera.Proxy.Listening;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// Tells in words what went wrong, at most so many lines a second, and how many lines that left
/// out. What clients cause has lines of its own, so that a flood of it hides no endpoint's failure.
/// Safe from any thread.
/// </summary>
internal sealed class ErrorLog
{
    private const int MaxLinesPerSecond = 20;
    private const int MaxClientLinesPerSecond = 10;

    private readonly Action<string>? _write;
    private readonly ErrorLevel _level;
    private readonly LineBudget _lines = new(MaxLinesPerSecond);
    private readonly LineBudget _clientLines = new(MaxClientLinesPerSecond);
    private long _suppressed;

    /// <param name="write">Gets one line at a time; null for none.</param>
    /// <param name="level">Lines of less weight are not written, and not counted.</param>
    public ErrorLog(Action<string>? write, ErrorLevel level = ErrorLevel.Warning)
    {
        _write = write;
        _level = level;
    }

    /// <summary>Lines that were left out because there were too many.</summary>
    public long Suppressed => Volatile.Read(ref _suppressed);

    /// <summary>
    /// A try failed at its endpoint, there was none to try, or the client is to blame.
    /// </summary>
    public void Write(Exchange exchange, ProxyError error)
    {
        ErrorLevel level = LevelOf(error);
        if (error.Source == ProxyErrorSource.Client
            ? TryEnterForClients(level)
            : TryEnter(level, _lines))
        {
            string cause = error.Kind == ProxyErrorKind.BodyTooLarge
                ? $", {exchange.AnnouncedBodyBytes} bytes or more"
                : error.Errno == 0 ? "" : $" ({Errno.Describe(error.Errno)})";
            string next = error.IsRetryable ? "; trying another" : "";
            Emit(level, $"{error.Describe()}{cause}{next}: {Describe(exchange)}");
        }
    }

    /// <summary>A request was refused before anything was tried.</summary>
    public void WriteRefusal(Exchange exchange, ErrorLevel level, string reason)
    {
        if (TryEnterForClients(level))
        {
            Emit(level, $"{exchange.Status}, {reason}: {Describe(exchange)}");
        }
    }

    /// <summary>A limit refused a request, or made it wait.</summary>
    public void WriteLimit(
        ErrorLevel level,
        Exchange exchange,
        [InterpolatedStringHandlerArgument("", nameof(level))] ref LimitLine line)
    {
        if (line.IsWanted)
        {
            Emit(level, $"{line.Take()}: {Describe(exchange)}");
        }
    }

    /// <summary>There is no room for a client: it gets no further than this.</summary>
    public void WriteTurnedAway(in InternetAddress peer, Listener listener)
    {
        if (TryEnterForClients(ErrorLevel.Error))
        {
            Emit(ErrorLevel.Error, "there are too many connections, one is turned away: "
                + $"client {peer.ToIPAddress()}, listener {listener.Address}");
        }
    }

    public void Write(string line) => Write(ErrorLevel.Error, line);

    public void Write(ErrorLevel level, string line)
    {
        if (TryEnter(level, _lines))
        {
            Emit(level, line);
        }
    }

    /// <summary>
    /// False when a line of this weight about what a client did is not to be written: then it is
    /// counted as left out, or nobody wants it.
    /// </summary>
    internal bool TryEnterForClients(ErrorLevel level) => TryEnter(level, _clientLines);

    /// <summary>
    /// What is tried again may end well. What clients do is their affair, except where a limit was
    /// set against it.
    /// </summary>
    private static ErrorLevel LevelOf(ProxyError error) => error switch
    {
        { Kind: ProxyErrorKind.BodyTooLarge } => ErrorLevel.Error,
        { Kind: ProxyErrorKind.ClientTimeout or ProxyErrorKind.ClientStalled } =>
            ErrorLevel.Warning,
        { Source: ProxyErrorSource.Client } => ErrorLevel.Notice,
        { IsRetryable: true } => ErrorLevel.Warning,
        _ => ErrorLevel.Error,
    };

    /// <summary>Client, listener, route, request, backend and upstream, as far as known.</summary>
    private static string Describe(Exchange exchange)
    {
        string host = LogEscape.ToText(exchange.Host);
        var text = new StringBuilder();
        text.Append("client ").Append(LogEscape.ToText(exchange.Client.PeerText));
        text.Append(", listener ").Append(exchange.Client.Listener.Address);
        text.Append(", request \"").Append(Target(exchange)).Append('"');
        text.Append(", host \"").Append(host).Append('"');
        text.Append(", route ").Append(exchange.Route?.Name ?? "-");
        text.Append(", backend ").Append(exchange.Backend?.Name ?? "-");
        text.Append(", upstream ");
        if (exchange.Endpoint is { } endpoint)
        {
            text.Append(LogEscape.ToText(endpoint.AddressText));
            text.Append(" (").Append(endpoint.Id).Append(')');
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

    private static string Target(Exchange exchange)
    {
        // A tunnel has no request.
        if (exchange.Request.TargetLength == 0)
        {
            return "-";
        }

        ReadOnlySpan<byte> received = exchange.Received;
        RequestHead head = exchange.Request;
        string method = LogEscape.ToText(received.Slice(head.MethodStart, head.MethodLength));
        string target = LogEscape.ToText(received.Slice(head.TargetStart, head.TargetLength));
        return $"{method} {target}";
    }

    private bool TryEnter(ErrorLevel level, LineBudget budget)
    {
        if (_write is null || level < _level)
        {
            return false;
        }

        bool isWanted = budget.TryTake(out int suppressed);
        if (suppressed > 0)
        {
            Emit(ErrorLevel.Warning, budget == _lines
                ? $"{suppressed} more errors were not written"
                : $"{suppressed} more lines about clients were not written");
        }

        if (!isWanted)
        {
            Suppress();
        }

        return isWanted;
    }

    private void Suppress() => Interlocked.Increment(ref _suppressed);
}
