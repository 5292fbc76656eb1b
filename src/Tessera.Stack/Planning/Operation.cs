using Tessera.Stack.Discovery;

namespace Tessera.Stack.Planning;

/// <summary>
/// One step of a plan: one call of an engine (or one wait), with the reason why it is there.
/// </summary>
public abstract record Operation(string Cause)
{
    /// <summary>Infinitive, one word, as a plan prints it.</summary>
    public abstract string Verb { get; }

    /// <summary>What it acts on: an instance's name, or a service's.</summary>
    public abstract string Subject { get; }
}

/// <summary>
/// Makes <paramref name="Service"/> the service's definition for everything that an engine can
/// apply to running instances (restart policy, stop signal, healthcheck times). Touches no process.
/// </summary>
public sealed record DefineService(string Project, Service Service, string Cause) : Operation(Cause)
{
    public override string Verb => "define";
    public override string Subject => Service.Name;
}

/// <summary>
/// Starts a slot's instance; done when its process runs (not when it is ready). A slot that is
/// alive is left alone.
/// </summary>
public sealed record StartInstance(SlotName Slot, Service Service, string Cause) : Operation(Cause)
{
    public override string Verb => "start";
    public override string Subject => Slot.ToString();
}

/// <summary>
/// Puts a new instance in the place of a slot's old one: start the new, wait until it is ready,
/// unroute and drain the old, stop it. A service with a fixed port is stopped first. When the new
/// one does not become ready, it is removed, the old one stays, and the operation fails.
/// </summary>
/// <param name="GracePeriod">
/// Overrides the service's <c>stop_grace_period</c> for the old one.
/// </param>
public sealed record ReplaceInstance(
    SlotName Slot, Service Service, string Cause, TimeSpan? GracePeriod = null)
    : Operation(Cause)
{
    public override string Verb => "replace";
    public override string Subject => Slot.ToString();
}

/// <summary>
/// Unroutes, drains and stops; the slot stays, with its logs. Not restarted until started.
/// </summary>
/// <param name="GracePeriod">Overrides the service's <c>stop_grace_period</c>.</param>
/// <param name="ReturnsWithDaemon">
/// It ends because the daemon ends: the next daemon starts it again as its restart policy says.
/// </param>
public sealed record StopInstance(
    SlotName Slot, string Cause, TimeSpan? GracePeriod = null, bool ReturnsWithDaemon = false)
    : Operation(Cause)
{
    public override string Verb => "stop";
    public override string Subject => Slot.ToString();
}

/// <summary>
/// Sends a signal to the instance's process group. After SIGKILL nothing starts it again but a
/// command.
/// </summary>
/// <param name="Signal">Name as in signal(7), with SIG.</param>
public sealed record SignalInstance(SlotName Slot, string Signal, string Cause) : Operation(Cause)
{
    public override string Verb => "signal";
    public override string Subject => Slot.ToString();
}

/// <summary>Stops what runs, then forgets the slot and deletes its logs.</summary>
public sealed record RemoveInstance(SlotName Slot, string Cause, TimeSpan? GracePeriod = null)
    : Operation(Cause)
{
    public override string Verb => "remove";
    public override string Subject => Slot.ToString();
}

/// <summary>
/// Waits until a service has reached a condition; fails when it never will (its instance failed, is
/// unhealthy, or ended with another code than 0). Carried out by the plan's executor.
/// </summary>
public sealed record AwaitService(
    string Project, Service Service, DependencyCondition Condition, string Cause) : Operation(Cause)
{
    public override string Verb => "await";

    public override string Subject => Condition switch
    {
        DependencyCondition.ServiceHealthy => $"{Service.Name} ready",
        DependencyCondition.ServiceCompletedSuccessfully => $"{Service.Name} completed",
        _ => $"{Service.Name} started",
    };
}
