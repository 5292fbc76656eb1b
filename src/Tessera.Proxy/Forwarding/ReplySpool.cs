using Tessera.Linux;
using Tessera.Proxy.Files;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// What of an answer has come from its endpoint and not left for its client yet, in its order: as
/// much as one buffer holds in memory, the rest in a file without a name. Owned by one reactor.
/// </summary>
internal sealed class ReplySpool
{
    private readonly BufferPool _buffers;
    private readonly TemporaryFolderConfig _folder;
    private readonly long _maxFileBytes;
    private byte[] _memory = [];
    private int _start;
    private int _end;
    private TemporaryFile? _file;
    private long _readBytes;
    private bool _hasFailed;

    /// <param name="maxFileBytes">Of the file; with 0 there is none.</param>
    public ReplySpool(BufferPool buffers, TemporaryFolderConfig folder, long maxFileBytes)
    {
        _buffers = buffers;
        _folder = folder;
        _maxFileBytes = maxFileBytes;
    }

    public bool IsEmpty => _start == _end && FileBytes == 0;

    /// <summary>Something must leave before more is put in.</summary>
    public bool IsFull => _hasFailed || _maxFileBytes == 0
        ? !IsEmpty
        : FileBytes >= _maxFileBytes;

    /// <summary>Name of the file, which nobody finds any more; empty without one.</summary>
    public ReadOnlySpan<byte> FilePath => _file is null ? default : _file.Path;

    private long FileBytes => _file is null ? 0 : _file.Length - _readBytes;

    /// <summary>False when there is no place for it, be it on disk.</summary>
    public bool TryAppend(ReadOnlySpan<byte> bytes)
    {
        if (FileBytes > 0 || (_start < _end && _end + bytes.Length > _memory.Length))
        {
            return TryAppendToFile(bytes);
        }

        if (_memory.Length < bytes.Length)
        {
            _buffers.Return(_memory);
            _memory = _buffers.RentAny(Math.Max(bytes.Length, _buffers.RelayBytes));
        }

        if (_start == _end)
        {
            _start = 0;
            _end = 0;
        }

        bytes.CopyTo(_memory.AsSpan(_end));
        _end += bytes.Length;
        return true;
    }

    /// <summary>The next bytes to leave; none when their file cannot be read.</summary>
    public byte[] Peek(out int start, out int length)
    {
        if (_start == _end)
        {
            SyscallResult read = _file!.Read(_memory, _readBytes);
            _start = 0;
            _end = Math.Max(0, read.IntValue);
            _readBytes += _end;
            if (FileBytes == 0)
            {
                _file.Clear();
                _readBytes = 0;
            }
        }

        start = _start;
        length = _end - _start;
        return _memory;
    }

    public void NoteSent(int bytes) => _start += bytes;

    public void Close()
    {
        _buffers.Return(_memory);
        _memory = [];
        _start = 0;
        _end = 0;
        _file?.Close();
        _file = null;
    }

    private bool TryAppendToFile(ReadOnlySpan<byte> bytes)
    {
        if (_file is null)
        {
            _hasFailed |= !TemporaryFile.TryCreate(_folder, keepsName: false, out _file).IsSuccess;
        }

        _hasFailed |= _file is null || !_file.TryAppend(bytes).IsSuccess;
        return !_hasFailed;
    }
}
