using System.Globalization;
using System.IO.Compression;
using System.Net.Sockets;
using System.Text;
using Tessera.Linux;
using Tessera.Linux.Files;
using Tessera.Linux.Net;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// The files and sockets that log lines end in. Used by the writer's thread alone.
/// </summary>
internal sealed class LogFiles : IDisposable
{
    /// <summary>More files than these are opened for each chunk.</summary>
    private const int MaxOpen = 256;

    private const int MaxSockets = 64;

    private const int StandardError = 2;

    private readonly Dictionary<string, AppendedFile> _open = new(StringComparer.Ordinal);
    private readonly Dictionary<SyslogConfig, Socket> _sockets = [];
    private readonly long _maxBytes;
    private readonly int _backups;

    /// <param name="maxBytes">
    /// A file is rotated before it exceeds this; 0 never rotates, and keeps files open.
    /// </param>
    /// <param name="backups">Rotated files kept as path.1 (the newest), path.2, and so on.</param>
    public LogFiles(long maxBytes, int backups)
    {
        _maxBytes = maxBytes;
        _backups = backups;
    }

    /// <exception cref="IOException">It could not be written; as of the others.</exception>
    /// <exception cref="UnauthorizedAccessException">See there.</exception>
    /// <exception cref="SocketException">A syslog could not be reached.</exception>
    public void Append(LogTarget target, ReadOnlySpan<byte> lines)
    {
        if (target.Syslog is { } syslog)
        {
            Send(syslog, lines);
            return;
        }

        if (target.Path.Length == 0)
        {
            ThrowIfFailed("stderr", FileCalls.Append(StandardError, lines));
            return;
        }

        if (target.GzipLevel > 0)
        {
            lines = Compress(lines, target.GzipLevel);
        }

        if (_maxBytes == 0 && target.IsKeptOpen && TryKeepOpen(target.Path, out AppendedFile kept))
        {
            ThrowIfFailed(target.Path, kept.Write(lines));
            return;
        }

        RotateIfFull(target.Path, lines.Length);
        using AppendedFile file = Open(target.Path);
        ThrowIfFailed(target.Path, file.Write(lines));
    }

    /// <summary>
    /// What is open is closed and opened anew under its name, which may be another file by now.
    /// Those that cannot be opened are told of, and tried again with their next line.
    /// </summary>
    public void Reopen(Action<string> complain)
    {
        foreach ((string path, AppendedFile file) in _open.ToArray())
        {
            file.Dispose();
            _open.Remove(path);
            try
            {
                _open.Add(path, Open(path));
            }
            catch (IOException e)
            {
                complain($"log {path} cannot be opened: {e.Message}");
            }
        }
    }

    public void Dispose()
    {
        foreach (IDisposable item in _open.Values.Cast<IDisposable>().Concat(_sockets.Values))
        {
            item.Dispose();
        }

        _open.Clear();
        _sockets.Clear();
    }

    private static AppendedFile Open(string path)
    {
        ThrowIfFailed(path, AppendedFile.TryOpen(path, out AppendedFile? file));
        return file!;
    }

    private static void ThrowIfFailed(string path, SyscallResult result)
    {
        if (!result.IsSuccess)
        {
            throw new IOException($"{path}: {ErrnoText.Of(result.Errno)}");
        }
    }

    private bool TryKeepOpen(string path, out AppendedFile file)
    {
        if (!_open.TryGetValue(path, out file!))
        {
            if (_open.Count >= MaxOpen)
            {
                return false;
            }

            file = Open(path);
            _open.Add(path, file);
        }

        return true;
    }

    /// <summary>A member of its own, so that the file is whole after each (RFC 1952).</summary>
    private static byte[] Compress(ReadOnlySpan<byte> lines, int level)
    {
        using var compressed = new MemoryStream();
        var options = new ZLibCompressionOptions { CompressionLevel = level };
        using (var gzip = new GZipStream(compressed, options, leaveOpen: true))
        {
            gzip.Write(lines);
        }

        return compressed.ToArray();
    }

    /// <summary>One datagram a line (RFC 3164 section 4.1), as nginx sends them.</summary>
    private void Send(SyslogConfig syslog, ReadOnlySpan<byte> line)
    {
        if (!_sockets.TryGetValue(syslog, out Socket? socket))
        {
            if (_sockets.Count >= MaxSockets)
            {
                throw new IOException("there are too many syslog servers");
            }

            bool isUnix = syslog.Server.AddressFamily == AddressFamily.Unix;
            socket = new Socket(
                syslog.Server.AddressFamily,
                SocketType.Dgram,
                isUnix ? ProtocolType.Unspecified : ProtocolType.Udp);
            _sockets.Add(syslog, socket);
        }

        DateTime now = DateTime.Now;
        string host = syslog.HasHostname ? Environment.MachineName + " " : "";
        string day = now.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2);
        string header = string.Create(
            CultureInfo.InvariantCulture,
            $"<{syslog.Priority}>{now:MMM} {day} {now:HH:mm:ss} {host}{syslog.Tag}: ");
        byte[] datagram = [.. Encoding.UTF8.GetBytes(header), .. line.TrimEnd((byte)'\n')];
        try
        {
            socket.SendTo(datagram, syslog.Server);
        }
        catch (SocketException)
        {
            // A socket that has met an error may go on to: the next line gets a new one.
            _sockets.Remove(syslog);
            socket.Dispose();
            throw;
        }
    }

    private void RotateIfFull(string path, int added)
    {
        var file = new FileInfo(path);
        if (_maxBytes > 0 && file.Exists && file.Length > 0 && file.Length + added > _maxBytes)
        {
            Rotate(path);
        }
    }

    private void Rotate(string path)
    {
        if (_backups <= 0)
        {
            File.Delete(path);
            return;
        }

        for (int i = _backups; i > 1; i--)
        {
            if (File.Exists($"{path}.{i - 1}"))
            {
                File.Move($"{path}.{i - 1}", $"{path}.{i}", overwrite: true);
            }
        }

        File.Move(path, $"{path}.1", overwrite: true);
    }
}
