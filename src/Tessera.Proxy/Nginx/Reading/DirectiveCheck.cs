namespace Tessera.Proxy.Nginx;

/// <summary>
/// What the check of a configuration does with what it finds beside errors. Used by one thread,
/// once.
/// </summary>
/// <param name="isLenient">What this program has not is warned of only.</param>
/// <param name="warn">Told what is odd and still can be used.</param>
internal sealed class DirectiveCheck(bool isLenient, Action<string> warn)
{
    /// <summary>Something is odd about a directive, and still can be used.</summary>
    public void Warn(NginxDirective directive, string message) =>
        warn(directive.Error(message).Message);

    /// <summary>nginx has it, and this program has not.</summary>
    /// <exception cref="NginxConfigException">The check is not lenient.</exception>
    public void TellUnsupported(NginxDirective directive, string what)
    {
        NginxConfigException error = directive.Error($"{what} is not supported by Tessera");
        if (!isLenient)
        {
            throw error;
        }

        warn(error.Message);
    }
}
