using System.Reflection;

namespace Tessera;

/// <summary>The version of this program.</summary>
internal static class ProgramVersion
{
    /// <summary>As the build set it, without the hash of the sources.</summary>
    public static string Text { get; } =
        (typeof(ProgramVersion).Assembly
            .GetCustomAttribute<AssemblyInformationalVersionAttribute>()
            ?.InformationalVersion ?? "0.0.0").Split('+')[0];
}
