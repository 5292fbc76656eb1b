using System.Net;

namespace Tessera.Proxy;

/// <summary>
/// An address in the file system, unix(7): a listener's, in the place of a host and a port.
/// </summary>
/// <param name="path">1 to 107 bytes of UTF-8.</param>
public sealed class PathEndPoint(string path) : IPEndPoint(IPAddress.None, 0)
{
    private const string Prefix = "unix:";

    public string Path => path;

    /// <summary>What <see cref="ToString"/> of it, or of any other address, has written.</summary>
    /// <exception cref="FormatException">It is no address.</exception>
    public static IPEndPoint ParseAny(string text) =>
        text.StartsWith(Prefix, StringComparison.Ordinal)
            ? new PathEndPoint(text[Prefix.Length..])
            : Parse(text);

    public override bool Equals(object? comparand) =>
        comparand is PathEndPoint other && other.Path == Path;

    public override int GetHashCode() => Path.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => Prefix + Path;
}
