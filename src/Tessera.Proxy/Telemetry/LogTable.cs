using System.Collections.Immutable;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// The access logs of a server, which outlast its configurations. Owned by whoever applies those:
/// a round names the logs of one, and those that it does not name are gone at its end.
/// </summary>
internal sealed class LogTable
{
    private readonly Reactor[] _reactors;
    private readonly LogWriter _writer;
    private readonly Dictionary<object, AccessLog> _logs = [];
    private readonly Dictionary<object, (AccessLog Log, AccessLogConfig Config)> _next = [];

    public LogTable(Reactor[] reactors, LogWriter writer)
    {
        _reactors = reactors;
        _writer = writer;
    }

    public AccessLog[] All => [.. _logs.Values];

    /// <summary>What a round that came to nothing has named is forgotten.</summary>
    public void BeginRound() => _next.Clear();

    /// <summary>
    /// The logs as they are, or new ones, which write nothing yet. The first configuration of a
    /// path decides the format.
    /// </summary>
    /// <exception cref="FormatException">A format has a variable that does not exist.</exception>
    public AccessLog[] Of(ImmutableArray<AccessLogConfig> configs) => [.. configs.Select(Of)];

    public ErrorSinks SinksOf(ImmutableArray<ErrorLogConfig> configs) => new(configs, _writer);

    /// <summary>What was named is in force. Returns the logs that nobody names any more.</summary>
    public AccessLog[] EndRound()
    {
        foreach ((object key, (AccessLog log, AccessLogConfig config)) in _next)
        {
            log.Update(config);
            _logs[key] = log;
        }

        object[] left = [.. _logs.Keys.Except(_next.Keys)];
        AccessLog[] retired = [.. left.Select(key => _logs[key])];
        Array.ForEach(left, key => _logs.Remove(key));
        Array.ForEach(retired, log => log.Retire());
        return retired;
    }

    private AccessLog Of(AccessLogConfig config)
    {
        if (_next.TryGetValue(config.Key, out (AccessLog Log, AccessLogConfig Config) known))
        {
            return known.Log;
        }

        AccessLogFormat.Parse(config);
        AccessLog log = _logs.GetValueOrDefault(config.Key)
            ?? new AccessLog(config, _reactors, _writer);
        _next.Add(config.Key, (log, config));
        return log;
    }
}
