using System.Runtime.InteropServices;

namespace Tessera.Linux.Net;

<<<<<<< HEAD
/// <summary>
/// Errors in the words of strerror(3), which other programs' logs use. Stateless.
/// </summary>
=======
/// <summary>Errors in the words of strerror(3), which other programs' logs use. Stateless.</summary>
>>>>>>> ngc-next
public static class ErrnoText
{
    /// <summary>"Connection refused"; allocates.</summary>
    public static string Of(int errno) => Marshal.GetPInvokeErrorMessage(errno);
}
