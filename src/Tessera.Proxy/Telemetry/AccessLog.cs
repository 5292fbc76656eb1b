using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Telemetry;

/// <summary>One log file, with a buffer for each reactor. Shared by all of them.</summary>
internal sealed class AccessLog
{
    private readonly AccessLogBuffer[] _buffers;
    private AccessLogConfig _config;
    private AccessLogFormat _format;

    /// <exception cref="FormatException">The format has a variable that does not exist.</exception>
    public AccessLog(AccessLogConfig config, Reactor[] reactors, AccessLogWriter writer)
    {
        _config = config;
        _format = AccessLogFormat.Parse(config);
        writer.Stock(reactors.Length * 2);
        _buffers = Array.ConvertAll(reactors, r => new AccessLogBuffer(this, r, writer));
    }

    public string Path => _config.Path;

    /// <summary>Read once for each line.</summary>
    public AccessLogFormat Format => Volatile.Read(ref _format);

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

    public AccessLogBuffer BufferOf(int reactor) => _buffers[reactor];
}
