namespace Tessera.Api.Contracts;

/// <summary>
/// The words of <see cref="InstanceView.State"/>, as Compose has them where it has one.
/// </summary>
public static class InstanceStates
{
    public const string Created = "created";
    public const string Running = "running";
    public const string Restarting = "restarting";
    public const string Stopping = "stopping";
    public const string Exited = "exited";

    /// <summary>Given up; nothing will restart it.</summary>
    public const string Fatal = "fatal";

    /// <summary>Not ours to start or stop; only balanced to.</summary>
    public const string External = "external";

    public static readonly string[] All =
        [Created, Running, Restarting, Stopping, Exited, Fatal, External];
}
