namespace Tessera.Proxy.Nginx;

/// <summary>
/// A configuration that cannot be used, in nginx's words: what is wrong, "in", file and line.
/// </summary>
public sealed class NginxConfigException : Exception
{
    /// <param name="message">What is wrong.</param>
    /// <param name="position">Where.</param>
    public NginxConfigException(string message, NginxPosition position)
        : base($"{message} in {position}")
    {
    }

    /// <summary>The syntax is well, and nginx's test says so before it says this.</summary>
    public bool IsBehindSyntax { get; init; }

    /// <param name="message">What is wrong, where no line is to blame.</param>
    public NginxConfigException(string message)
        : base(message)
    {
    }
}
