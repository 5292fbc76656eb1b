using System.Runtime.InteropServices;

namespace Tessera.Linux.Net;

/// <summary>
/// Errors in the words of strerror(3), which other programs' logs use. Stateless.
/// </summary>
public static class ErrnoText
{
    /// <summary>"Connection refused"; allocates.</summary>
    public static string Of(int errno) => Marshal.GetPInvokeErrorMessage(errno);
}
