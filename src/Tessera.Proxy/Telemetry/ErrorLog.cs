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
/// Where a configuration names error logs, lines go there instead: in nginx's words, and all of
/// them, as nginx writes them. Safe from any thread.
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
    private volatile ErrorSinks? _sinks;

    /// <param name="write">Gets one line at a time; null for none.</param>
    /// <param name="level">Lines of less weight are not written, and not counted.</param>
    public ErrorLog(Action<string>? write, ErrorLevel level = ErrorLevel.Warning)
    {
        _write = write;
        _level = level;
    }

    /// <summary>
    /// Lines are nginx's: whoever has words of nginx's for what happened tells them by
    /// <see cref="Tell(Exchange, ErrorLevel, string)"/>, and <see cref="WriteLimit"/> says nothing.
    /// </summary>
    public bool IsNginx => _sinks is not null;

    /// <summary>Lines that were left out because there were too many.</summary>
    public long Suppressed => Volatile.Read(ref _suppressed);

    /// <summary>Where lines go from now on; null writes this program's own form again.</summary>
    public void Use(ErrorSinks? sinks) => _sinks = sinks;

    /// <summary>Something about a request, in nginx's words; nothing in the other form.</summary>
    public void Tell(Exchange exchange, ErrorLevel level, string message)
    {
        if (SinksOf(exchange, level) is { } sinks)
        {
            sinks.Write(level, NginxErrorText.Of(exchange, message));
        }
    }

    /// <summary>As <see cref="Tell(Exchange, ErrorLevel, string)"/>, and nothing else.</summary>
    public void TellBare(Exchange exchange, ErrorLevel level, string message)
    {
        if (SinksOf(exchange, level) is { } sinks)
        {
            sinks.Write(level, $"*{exchange.Client.Serial} {message}");
        }
    }

    /// <summary>Whether <see cref="Tell(Exchange, ErrorLevel, string)"/> would write.</summary>
    public bool Takes(Exchange exchange, ErrorLevel level) =>
        SinksOf(exchange, level) is not null;

    /// <summary>
    /// A try failed at its endpoint, there was none to try, or the client is to blame.
    /// </summary>
    public void Write(Exchange exchange, ProxyError error)
    {
        if (IsNginx)
        {
            if (NginxErrorText.Describe(exchange, error) is (var weight, var message))
            {
                Tell(exchange, weight, message);
            }

            return;
        }

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
        if (IsNginx)
        {
            TellRefusal(exchange);
            return;
        }

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
        if (IsNginx)
        {
            Write(ErrorLevel.Alert, "worker_connections are not enough");
            return;
        }

        if (TryEnterForClients(ErrorLevel.Error))
        {
            Emit(ErrorLevel.Error, "there are too many connections, one is turned away: "
                + $"client {peer.ToIPAddress()}, listener {listener.Address}");
        }
    }

    public void Write(string line) => Write(ErrorLevel.Error, line);

    public void Write(ErrorLevel level, string line)
    {
        if (_sinks is { } sinks)
        {
            if (sinks.Takes(level))
            {
                sinks.Write(level, line);
            }

            return;
        }

        if (TryEnter(level, _lines))
        {
            Emit(level, line);
        }
    }

    /// <summary>
    /// False when a line of this weight about what a client did is not to be written: then it is
    /// counted as left out, or nobody wants it.
    /// </summary>
    internal bool TryEnterForClients(ErrorLevel level) =>
        !IsNginx && TryEnter(level, _clientLines);

    /// <summary>Those of its route, if they take a line of this weight; else null.</summary>
    private ErrorSinks? SinksOf(Exchange exchange, ErrorLevel level)
    {
        ErrorSinks? sinks = _sinks is null ? null : exchange.Route?.ErrorSinks ?? _sinks;
        return sinks is not null && sinks.Takes(level) ? sinks : null;
    }

    private void TellRefusal(Exchange exchange)
    {
        string? message = exchange.Status switch
        {
            400 when exchange.RequestBody.IsInvalid => "client sent invalid chunked body",
            400 when exchange.Request.TargetLength == 0 =>
                "client sent invalid request while reading client request line",
            400 => "client sent invalid request while reading client request headers",
            408 => "client timed out (110: Connection timed out) while reading client request "
                + (exchange.Request.TargetLength == 0 ? "line" : "headers"),
            414 => "client sent too long URI while reading client request line",
            431 => "client sent too long header line while reading client request headers",
            405 => "client sent invalid method while reading client request line",
            _ => null,
        };
        if (message is not null)
        {
            Tell(exchange, ErrorLevel.Information, message);
        }
    }

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
        text.Append("client ").Append(LogEscape.ToText(exchange.PeerText));
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
