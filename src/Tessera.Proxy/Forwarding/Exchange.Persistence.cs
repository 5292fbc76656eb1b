using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>How nginx's sticky binds the client, and what it learns of its session.</summary>
internal sealed partial class Exchange
{
    /// <summary>Of the backend as of the last pick; null where clients are not bound so.</summary>
    private PersistenceRule? _persistence;

    private LearntSession? _learnt;
    private byte[] _learntKey = [];
    private int _learntLength;

    /// <summary>Kept if the response gets to its end.</summary>
    public void NoteLearnt(in LearntSession learnt, ReadOnlySpan<byte> key)
    {
        _learnt = learnt;
        _learntKey = _learntKey.Length < key.Length ? new byte[key.Length] : _learntKey;
        key.CopyTo(_learntKey);
        _learntLength = key.Length;
    }

    private void KeepLearnt(ProxyError error, long nowMs)
    {
        if (!error.IsError)
        {
            _learnt?.Keep(_learntKey.AsSpan(0, _learntLength), nowMs);
        }

        _learnt = null;
    }

    private void ForgetPersistence()
    {
        _persistence = null;
        _learnt = null;
        _learntKey = _learntKey.Length > MaxSpareBytes ? [] : _learntKey;
    }
}
