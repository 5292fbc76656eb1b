using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tessera.Proxy;

namespace Tessera.Nginx;

/// <summary>
/// Listening sockets that another process, which this one replaces, has passed on as nginx does: by
/// numbers of descriptors in a variable of the environment. Immutable.
/// </summary>
/// <param name="Text">As it was written: numbers, each with ";" behind it.</param>
internal sealed record NginxInheritance(string Text)
{
    public const string Variable = "NGINX";

    /// <summary>Null for a process that replaces no other one.</summary>
    public static NginxInheritance? FromEnvironment() =>
        Environment.GetEnvironmentVariable(Variable) is { } text
            ? new NginxInheritance(text)
            : null;

    /// <summary>What listens; anything else is overlooked.</summary>
    public IEnumerable<SharedListener> Read()
    {
        foreach (string number in Text.Split(
            [';', ':'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int fd)
                && AddressOf(fd) is { } address)
            {
                yield return new SharedListener(address, fd);
            }
        }
    }

    private static IPEndPoint? AddressOf(int descriptor)
    {
        try
        {
            using var handle = new SafeSocketHandle(descriptor, ownsHandle: false);
            using var socket = new Socket(handle);
            return socket.SocketType != SocketType.Stream ? null : socket.LocalEndPoint switch
            {
                IPEndPoint address => address,
                UnixDomainSocketEndPoint path => new PathEndPoint(path.ToString()),
                _ => null,
            };
        }
        catch (SocketException)
        {
            return null;
        }
    }
}
