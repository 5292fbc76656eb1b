using Tessera.Stack;

namespace Tessera;

/// <summary>What a command's exit code says. The one place that defines them.</summary>
public static class ExitCode
{
    public const int Ok = 0;

    /// <summary>
    /// The command was right but did not succeed; also what <c>daemon</c> ends with on a fault.
    /// </summary>
    public const int Failed = UserErrorException.Failed;

    /// <summary>
    /// The file or the command line is wrong: nothing was started, nothing touched.
    /// </summary>
    public const int InvalidInput = UserErrorException.InvalidInput;

    /// <summary><c>tessera daemon</c> found another daemon that owns the state folder.</summary>
    public const int DaemonAlreadyRuns = 3;

    /// <summary>Ended by Ctrl-C or SIGTERM, as a shell would report it (128 + SIGINT).</summary>
    public const int Interrupted = 130;
}
