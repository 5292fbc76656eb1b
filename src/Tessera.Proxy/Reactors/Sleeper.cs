namespace Tessera.Proxy.Reactors;

/// <summary>
/// The owner of a socket while nothing goes on there: no operation and no suspended method belong
/// to the socket, only this entry among the timers, until something arrives or the time is over. So
/// a silent connection costs little memory. Owned by one reactor.
/// </summary>
internal abstract class Sleeper : TimerEntry
{
    /// <summary>
    /// Something arrived, be it the end. <see cref="TimerEntry.Expire"/> is called when the time is
    /// over instead.
    /// </summary>
    protected internal abstract void WakeUp();
}
