using System.Net;
using System.Net.Sockets;
using Tessera.Proxy;

namespace Tessera.Daemon;

/// <summary>Whether addresses could be listened on, for those who only want to know.</summary>
internal static class PortCheck
{
    /// <summary>
    /// Says which addresses of a project cannot be listened on now; those that this daemon listens
    /// on already are taken for free.
    /// </summary>
    public static IEnumerable<string> FindTaken(
        ProjectEntry desired, IEnumerable<ProjectEntry> inForce)
    {
        HashSet<IPEndPoint> own = [.. inForce.SelectMany(entry => Ingress.Listeners(entry))];
        foreach (IPEndPoint address in Ingress.Listeners(desired).Distinct())
        {
            if (address is not PathEndPoint && !own.Contains(address)
                && TryBind(address) is { } fault)
            {
                yield return $"cannot listen on {address}: {fault}. `up` would change nothing.";
            }
        }
    }

    private static string? TryBind(IPEndPoint address)
    {
        try
        {
            using var socket = new Socket(
                address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            if (address.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.DualMode = false;
            }

            // Connections that ended lately keep no port from being listened on.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(address);
            socket.Listen(1);
            return null;
        }
        catch (SocketException fault)
        {
            return fault.Message;
        }
    }
}
