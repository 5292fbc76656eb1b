using System.Net;

namespace Tessera.Proxy;

/// <summary>
/// Stands for the addresses of a name that whoever applies the configuration knows, and puts them
/// in its place. Nothing can be reached by it.
/// </summary>
/// <param name="host">As the file has it.</param>
/// <param name="port">1 to 65,535.</param>
public sealed class HostEndPoint(string host, int port) : IPEndPoint(IPAddress.None, port)
{
    public string Host => host;

    public override bool Equals(object? comparand) =>
        comparand is HostEndPoint other && other.Host == Host && other.Port == Port;

    public override int GetHashCode() => HashCode.Combine(Host, Port);

    public override string ToString() => $"{Host}:{Port}";
}
