namespace Tessera.Proxy.Nginx;

/// <summary>A line of a configuration file.</summary>
/// <param name="File">As errors name it; "command line" for what options say.</param>
/// <param name="Line">Counted from 1.</param>
public readonly record struct NginxPosition(string File, int Line)
{
    /// <inheritdoc/>
    public override string ToString() => Line > 0 ? $"{File}:{Line}" : File;
}
