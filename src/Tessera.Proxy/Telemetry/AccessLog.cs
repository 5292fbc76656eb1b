using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Telemetry;

/// <summary>One log, with a buffer for each reactor. Shared by all of them.</summary>
internal sealed class AccessLog
{
    private readonly AccessLogBuffer[] _buffers;
    private AccessLogConfig _config;
    private AccessLogFormat _format;
    private volatile bool _isRetired;

    /// <exception cref="FormatException">The format has a variable that does not exist.</exception>
    public AccessLog(AccessLogConfig config, Reactor[] reactors, LogWriter writer)
    {
        _config = config;
        _format = AccessLogFormat.Parse(config);
        Target = new LogTarget(config.Path, config.GzipLevel, config.Syslog);
        writer.Stock(reactors.Length * 2);
        _buffers = Array.ConvertAll(reactors, r => new AccessLogBuffer(this, r, writer));
    }

    public LogTarget Target { get; }

    /// <summary>Read once for each line.</summary>
    public AccessLogFormat Format => Volatile.Read(ref _format);

    /// <summary>
    /// No configuration names it any more: nobody flushes what late requests write to it.
    /// </summary>
    public bool IsRetired => _isRetired;

    /// <summary>When lines are handed on. It does not change with the format.</summary>
    public AccessLogConfig Config => _config;

    /// <summary>
    /// Changes the format of further lines; the path stays. By whoever applies configurations.
    /// </summary>
    /// <exception cref="FormatException">As for the constructor.</exception>
    public void Update(AccessLogConfig config)
    {
        if (config != _config)
        {
            Volatile.Write(ref _format, AccessLogFormat.Parse(config));
            _config = config;
        }
    }

    public void Retire() => _isRetired = true;

    public AccessLogBuffer BufferOf(int reactor) => _buffers[reactor];
}
