namespace Tessera;

/// <summary>
/// The state folder: everything that a daemon keeps on disk lies in it, so that several daemons can
/// live on one machine, each in a folder of its own.
/// </summary>
public sealed record TesseraHome(string Path)
{
    /// <summary>Control API; owner-only.</summary>
    public string ControlSocket => System.IO.Path.Combine(Path, "control.sock");

    /// <summary>Where the daemon hands everything over to a successor; owner-only.</summary>
    public string HandoverSocket => System.IO.Path.Combine(Path, "handover.sock");

    /// <summary>Locked (flock) by the daemon that owns the folder.</summary>
    public string LockFile => System.IO.Path.Combine(Path, "daemon.lock");

    /// <summary>What a daemon that was started on demand writes to stdout and stderr.</summary>
    public string DaemonLog => System.IO.Path.Combine(Path, "daemon.log");

    /// <summary>Signs sticky cookies; owner-only.</summary>
    public string StickyKey => System.IO.Path.Combine(Path, "sticky.key");

    /// <summary>One folder per project.</summary>
    public string Projects => System.IO.Path.Combine(Path, "projects");

    /// <summary>
    /// <c>TESSERA_HOME</c>; else <c>/var/lib/tessera</c> for root, and
    /// <c>$XDG_STATE_HOME/tessera</c> (<c>~/.local/state/tessera</c>) for everyone else.
    /// </summary>
    public static TesseraHome FromEnvironment()
    {
        string? home = Environment.GetEnvironmentVariable("TESSERA_HOME");
        if (!string.IsNullOrEmpty(home))
        {
            return new TesseraHome(System.IO.Path.GetFullPath(home));
        }

        if (Environment.IsPrivilegedProcess)
        {
            return new TesseraHome("/var/lib/tessera");
        }

        string? state = Environment.GetEnvironmentVariable("XDG_STATE_HOME");
        if (string.IsNullOrEmpty(state))
        {
            state = System.IO.Path.Combine(
                Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local/state");
        }

        return new TesseraHome(System.IO.Path.Combine(state, "tessera"));
    }
}
