namespace Tessera.Proxy.Files;

/// <summary>What holds for symbolic links in a path. The default value follows them.</summary>
/// <param name="FollowsOwners">Those that belong to whom their target belongs.</param>
/// <param name="Trusted">Bytes in front of the path in which they are followed.</param>
internal readonly record struct LinkCheck(bool IsOn, bool FollowsOwners, int Trusted);
