using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Telemetry;

/// <summary>One log file, with a buffer for each reactor. Shared by all of them.</summary>
internal sealed class AccessLog
{
    private readonly AccessLogBuffer[] _buffers;

    public AccessLog(string path, Reactor[] reactors, AccessLogWriter writer)
    {
        Path = path;
        writer.Stock(reactors.Length * 2);
        _buffers = Array.ConvertAll(reactors, r => new AccessLogBuffer(path, r, writer));
    }

    public string Path { get; }

    public AccessLogBuffer BufferOf(int reactor) => _buffers[reactor];
}
