using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Variables;

/// <summary>
/// What variables say of all connections of the server, added up over its reactors while they go
/// on. Stateless.
/// </summary>
internal static class ServerValue
{
    public static void Write(Variable variable, ref ByteWriter writer, Shard shard)
    {
        long connections = 0;
        long active = 0;
        long reading = 0;
        long accepted = 0;
        long handled = 0;
        long requests = 0;
        foreach (Shard one in shard.All)
        {
            connections += one.ConnectionCount;
            active += Math.Max(0, one.Counters.Active);
            reading += one.ReadingCount;
            accepted += one.Counters.Accepted + one.Counters.Refused;
            handled += one.Counters.Accepted;
            requests += one.Counters.Begun;
        }

        writer.WriteNumber(variable switch
        {
            Variable.ConnectionsActive => connections,
            Variable.ConnectionsReading => reading,
            Variable.ConnectionsWriting => Math.Clamp(active - reading, 0, connections),
            Variable.ConnectionsWaiting => Math.Max(0, connections - active),
            Variable.ConnectionsAccepted => accepted,
            Variable.ConnectionsHandled => handled,
            _ => requests,
        });
    }
}
