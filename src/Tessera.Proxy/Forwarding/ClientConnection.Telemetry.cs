using System.Text;
using Tessera.Linux.Net;

namespace Tessera.Proxy.Forwarding;

/// <summary>What logs and metrics want to know of a connection.</summary>
internal sealed partial class ClientConnection
{
    private byte[]? _localText;
    private bool _isFresh;

    public Shard Shard => _shard;

    /// <summary>No other connection of the process has the same.</summary>
    public long Serial { get; init; }

    /// <summary>On the reactor's clock.</summary>
    public long StartMs { get; init; }

    /// <summary>Requests so far, the current one included.</summary>
    public int Requests { get; private set; }

    /// <summary>The current request came behind the one before, unasked for.</summary>
    public bool IsPipelined { get; private set; }

    /// <summary>
    /// The address that the client connected to, without port. Where a listener has every address
    /// of the machine the kernel is asked, once.
    /// </summary>
    public ReadOnlySpan<byte> LocalText => _localText ??= FindLocal();

    private byte[] FindLocal()
    {
        if (Listener.Address is PathEndPoint path)
        {
            return Encoding.UTF8.GetBytes(path.ToString());
        }

        bool isKnown = SocketCalls.GetLocalAddress(
            Transport.Handle.Descriptor, out InternetAddress local).IsSuccess;
        return isKnown
            ? local.HostText()
            : Encoding.ASCII.GetBytes(Listener.Address.Address.ToString());
    }
}
