namespace Tessera.Stack;

/// <summary>
/// A mistake that its reader can mend. The message goes to the terminal as it is and says what is
/// wrong, where (<c>file:line:column</c> for files), and what to do.
/// </summary>
public sealed class UserErrorException : Exception
{
    public UserErrorException(string message, int exitCode = InvalidInput)
        : base(message) => ExitCode = exitCode;

    /// <summary>
    /// Exit code of a wrong file or a wrong command line: nothing was started or touched.
    /// </summary>
    public const int InvalidInput = 2;

    /// <summary>Exit code of a command that was right but did not succeed.</summary>
    public const int Failed = 1;

    public int ExitCode { get; }
}
