using System.Collections.Immutable;

namespace Tessera.Cli;

/// <summary>
/// What native instances inherit from whoever ran <c>up</c>, below their own <c>environment</c>. A
/// container starts from its image's environment; a native process has no image, and without the
/// caller's PATH and locale few programs start. Only variables that say where tools, homes and
/// certificates are, and how text and time are written, are taken: no credentials, no terminal.
/// </summary>
public static class BaseEnvironment
{
    private static readonly string[] Names =
    [
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR",
        "LD_LIBRARY_PATH", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
        "VIRTUAL_ENV", "CONDA_PREFIX", "PYENV_ROOT", "PYTHONPATH", "NODE_PATH", "NVM_DIR",
        "NVM_BIN",
        "RBENV_ROOT", "GEM_HOME", "GEM_PATH", "JAVA_HOME", "GOROOT", "GOPATH", "CARGO_HOME",
        "RUSTUP_HOME", "DOTNET_ROOT", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
        "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    ];

    private const string LocalePrefix = "LC_";

    public static ImmutableSortedDictionary<string, string> From(
        ImmutableSortedDictionary<string, string> environment) =>
        environment
            .Where(variable => Names.Contains(variable.Key, StringComparer.Ordinal)
                || variable.Key.StartsWith(LocalePrefix, StringComparison.Ordinal))
            .ToImmutableSortedDictionary(StringComparer.Ordinal);
}
