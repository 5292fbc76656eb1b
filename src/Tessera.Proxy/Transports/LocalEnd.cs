using Tessera.Linux;
using Tessera.Linux.Net;

namespace Tessera.Proxy.Transports;

/// <summary>
/// How this end of a connection to an endpoint is set up before it connects: nginx's proxy_bind and
/// proxy_socket_keepalive.
/// </summary>
/// <param name="Address">Not set binds nothing; port 0 lets the kernel choose one.</param>
/// <param name="IsTransparent">The address need not be this machine's: IP_TRANSPARENT.</param>
/// <param name="ProbesIdle">SO_KEEPALIVE.</param>
internal readonly record struct LocalEnd(
    InternetAddress Address, bool IsTransparent, bool ProbesIdle)
{
    /// <summary>0, or the error of the call that failed.</summary>
    public SyscallResult Apply(int descriptor)
    {
        if (ProbesIdle)
        {
            SocketCalls.SetKeepAlive(descriptor);
        }

        if (Address.Family == 0)
        {
            return SyscallResult.Success(0);
        }

        if (IsTransparent
            && SocketCalls.SetTransparent(descriptor, Address.IsIPv4) is { IsSuccess: false } no)
        {
            return no;
        }

        if (Address.Port == 0)
        {
            SocketCalls.SetBindWithoutPort(descriptor);
        }

        return SocketCalls.Bind(descriptor, Address);
    }
}
